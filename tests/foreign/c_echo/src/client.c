/* Client d'écho : ./client <adresse> <port>. */
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "frame.h"

static struct buffer in;
static struct buffer typed; /* la ligne en cours */
static struct buffer out;
static int input_ended, said_quit;

static int connect_to(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int fd = -1, error = getaddrinfo(host, port, &hints, &found);
    if (error != 0) {
        fprintf(stderr, "%s : %s\n", host, gai_strerror(error));
        exit(1);
    }
    for (struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
            error = errno;
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    if (fd < 0) {
        fprintf(stderr, "connexion à %s impossible : %s\n", host, strerror(error));
        exit(1);
    }
    return fd;
}

/* Met en trame la première ligne tapée, si elle est complète (ou si elle remplit le tampon). */
static void send_line(void)
{
    char *newline = memchr(typed.data, '\n', typed.len);
    size_t len = newline != NULL ? (size_t)(newline - typed.data) : typed.len;
    uint32_t prefix = htonl(len);
    if (newline == NULL && typed.len < MAX_TEXT && !(input_ended && typed.len > 0))
        return;
    said_quit = len == 5 && memcmp(typed.data, "/quit", 5) == 0;
    memcpy(out.data, &prefix, LENGTH_SIZE);
    memcpy(out.data + LENGTH_SIZE, typed.data, len);
    out.len = LENGTH_SIZE + len;
    drop_front(&typed, len + (newline != NULL));
}

static void show_echoes(void)
{
    int size;
    while ((size = frame_size(&in)) > 0) {
        printf("Message reçu : %.*s\n", size - LENGTH_SIZE, in.data + LENGTH_SIZE);
        drop_front(&in, size);
    }
    if (size < 0) {
        printf("Réponse incompréhensible du serveur.\n");
        exit(1);
    }
}

static int talk(int fd)
{
    int told = 0;
    for (;;) {
        if (out.len == 0 && !said_quit)
            send_line();
        int can_type = out.len == 0 && !input_ended;
        if (out.len == 0 && said_quit)
            return 0;
        if (input_ended && out.len == 0 && !told++)
            shutdown(fd, SHUT_WR); /* les derniers échos arrivent encore */
        fflush(stdout);
        struct pollfd fds[2] = {
            {.fd = fd, .events = out.len > 0 ? POLLIN | POLLOUT : POLLIN},
            {.fd = can_type ? STDIN_FILENO : -1, .events = POLLIN},
        };
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[0].revents & POLLOUT && transmit(fd, &out) < 0)
            return 1;
        if (fds[0].revents & ~POLLOUT) {
            int gone = receive(fd, &in) < 0;
            show_echoes();
            if (gone) {
                printf("Le serveur est parti.\n");
                return !input_ended;
            }
        }
        if (fds[1].revents != 0) {
            ssize_t n = read(STDIN_FILENO, typed.data + typed.len, MAX_TEXT - typed.len);
            if (n > 0)
                typed.len += n;
            else
                input_ended = 1;
        }
    }
}

int main(int argc, char *argv[])
{
    char *end = "?";
    long port = argc == 3 ? strtol(argv[2], &end, 10) : 0;
    if (*end != '\0' || port < 1 || port > 65535) {
        fprintf(stderr, "usage : client <adresse> <port>\n");
        return 1;
    }
    int fd = connect_to(argv[1], argv[2]);
    printf("Connecté, tapez votre texte (/quit pour finir)\n");
    int status = talk(fd);
    close(fd);
    return status;
}
