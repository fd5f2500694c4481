/* Serveur d'écho : ./server <port>. On ne lit un client que quand il a lu l'écho d'avant : celui
 * qui ne lit pas n'occupe que ses deux tampons. */
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "frame.h"

struct client {
    int fd;
    char ip[INET_ADDRSTRLEN];
    int port;
    int dead;
    struct buffer in, out;
    struct client *next;
};

static struct client *clients;
static volatile sig_atomic_t stopped;

static void echo(struct client *c)
{
    int size;
    while (!c->dead && c->out.len == 0 && (size = frame_size(&c->in)) != 0) {
        if (size < 0 || (size == LENGTH_SIZE + 5 && memcmp(c->in.data + LENGTH_SIZE, "/quit", 5) == 0)) {
            c->dead = 1;
            return;
        }
        memcpy(c->out.data, c->in.data, size);
        c->out.len = size;
        drop_front(&c->in, size);
        if (transmit(c->fd, &c->out) < 0)
            c->dead = 1;
    }
}

static void handle_client(struct client *c)
{
    if (c->out.len > 0 ? transmit(c->fd, &c->out) < 0 : receive(c->fd, &c->in) < 0)
        c->dead = 1;
    echo(c);
}

static int accept_client(int listener)
{
    struct sockaddr_in addr;
    socklen_t len = sizeof addr;
    int fd = accept(listener, (struct sockaddr *)&addr, &len);
    if (fd < 0)
        return errno != EMFILE;
    struct client *c = calloc(1, sizeof *c);
    if (c == NULL) {
        close(fd);
        return 1;
    }
    c->fd = fd;
    inet_ntop(AF_INET, &addr.sin_addr, c->ip, sizeof c->ip);
    c->port = ntohs(addr.sin_port);
    c->next = clients;
    clients = c;
    printf("+ %s:%d\n", c->ip, c->port);
    return 1;
}

static int remove_dead(void)
{
    int removed = 0;
    for (struct client **link = &clients; *link != NULL;) {
        struct client *c = *link;
        if (!c->dead) {
            link = &c->next;
            continue;
        }
        *link = c->next;
        printf("- %s:%d\n", c->ip, c->port);
        close(c->fd);
        free(c);
        removed++;
    }
    return removed;
}

static void serve(int listener)
{
    struct pollfd *fds = NULL;
    sigset_t nothing_blocked;
    int room = 1;
    sigemptyset(&nothing_blocked);
    while (!stopped) {
        size_t n = 1;
        for (struct client *c = clients; c != NULL; c = c->next)
            n++;
        fds = realloc(fds, n * sizeof *fds);
        if (fds == NULL)
            exit(1);
        fds[0] = (struct pollfd){.fd = listener, .events = room ? POLLIN : 0};
        n = 1;
        for (struct client *c = clients; c != NULL; c = c->next)
            fds[n++] = (struct pollfd){.fd = c->fd, .events = c->out.len > 0 ? POLLOUT : POLLIN};
        if (ppoll(fds, n, NULL, &nothing_blocked) < 0)
            continue;
        n = 1;
        for (struct client *c = clients; c != NULL; c = c->next)
            if (fds[n++].revents != 0)
                handle_client(c);
        if (remove_dead() > 0)
            room = 1;
        if (fds[0].revents & POLLIN)
            room = accept_client(listener);
        fflush(stdout);
    }
    free(fds);
}

static int listen_on(int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    addr.sin_addr.s_addr = htonl(INADDR_ANY);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(fd, 128) < 0) {
        perror("bind");
        exit(1);
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void stop(int signum)
{
    (void)signum;
    stopped = 1;
}

int main(int argc, char *argv[])
{
    char *end = "?";
    long port = argc == 2 ? strtol(argv[1], &end, 10) : 0;
    if (*end != '\0' || port < 1 || port > 65535) {
        fprintf(stderr, "usage : server <port>\n");
        return 1;
    }
    struct sigaction action = {.sa_handler = stop};
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    sigaction(SIGINT, &action, NULL);
    int listener = listen_on(port);
    serve(listener);
    close(listener);
    for (struct client *c = clients; c != NULL; c = c->next)
        c->dead = 1;
    remove_dead();
    return 0;
}
