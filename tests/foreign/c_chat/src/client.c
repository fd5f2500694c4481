/* Client de chat : ./client <adresse> <port>. poll() sur le clavier, le serveur et les fichiers. */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"
#include "transfer.h"

#define PROMPT "\033[1;32mchat $\033[0m "
#define ERASE "\r\033[K"

static struct conn server;
static struct buffer typed;
static char me[NICK_LEN];    /* vide : pas encore identifié */
static char room[INFOS_LEN]; /* vide : dans aucun salon */
static volatile sig_atomic_t stopped;

/* ---- Ce que l'utilisateur tape ---- */

static void ask_server(enum msg_type type, const char *infos, const char *text)
{
    conn_send(&server, type, me, infos, text, strlen(text));
}

static void say(enum msg_type type, const char *to, const char *text)
{
    ask_server(type, to, text);
    printf("\033[35m[Moi -> %s]\033[0m : %s\n", to[0] == '\0' ? "tous" : to, text);
}

/* Coupe le premier mot de *rest et avance derrière lui. */
static char *next_word(char **rest)
{
    char *word = *rest + strspn(*rest, " ");
    char *end = word + strcspn(word, " ");
    *rest = end + strspn(end, " ");
    *end = '\0';
    return word;
}

/* Rend 0 pour terminer le programme. */
static int handle_command(char *line)
{
    char *rest = line, *command = next_word(&rest), *who;
    if (strcmp(command, "/nick") == 0) {
        ask_server(NICKNAME_NEW, rest, "");
    } else if (strcmp(command, "/who") == 0) {
        ask_server(NICKNAME_LIST, "", "");
    } else if (strcmp(command, "/whois") == 0) {
        ask_server(NICKNAME_INFOS, next_word(&rest), "");
    } else if (strcmp(command, "/whoami") == 0) {
        ask_server(NICKNAME_INFOS, me, "");
    } else if (strcmp(command, "/msgall") == 0) {
        say(BROADCAST_SEND, "", rest);
    } else if (strcmp(command, "/msg") == 0) {
        who = next_word(&rest);
        say(UNICAST_SEND, who, rest);
    } else if (strcmp(command, "/create") == 0) {
        ask_server(MULTICAST_CREATE, rest, "");
    } else if (strcmp(command, "/channel_list") == 0) {
        ask_server(MULTICAST_LIST, "", "");
    } else if (strcmp(command, "/join") == 0) {
        ask_server(MULTICAST_JOIN, next_word(&rest), "");
    } else if (strcmp(command, "/send") == 0) {
        who = next_word(&rest);
        transfer_offer(&server, me, who, rest);
    } else if (strcmp(command, "/quit") == 0) {
        if (room[0] == '\0' && rest[0] == '\0')
            return 0;
        ask_server(MULTICAST_QUIT, rest[0] != '\0' ? rest : room, "");
    } else {
        printf("Commande inconnue : %s\n", command);
    }
    return 1;
}

static int handle_line(char *line)
{
    if (line[0] == '/')
        return handle_command(line);
    if (transfer_question()) {
        if (strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0)
            transfer_answer(&server, me, 1);
        else if (strcasecmp(line, "n") == 0 || strcasecmp(line, "no") == 0)
            transfer_answer(&server, me, 0);
        else
            transfer_ask_again();
    } else if (room[0] != '\0') {
        say(MULTICAST_SEND, room, line);
    } else if (line[0] != '\0') {
        ask_server(ECHO_SEND, "", line);
    }
    return 1;
}

static int handle_keyboard(void)
{
    const size_t chunk = 4096;
    ssize_t n = read(STDIN_FILENO, buffer_room(&typed, chunk), chunk);
    char *newline;
    int goes_on = 1;
    if (n > 0)
        typed.end += n;
    else if (n == 0 || errno != EINTR)
        goes_on = 0; /* fin de l'entrée, comme /quit */
    while (goes_on && typed.end > typed.start &&
           (newline = memchr(typed.data + typed.start, '\n', typed.end - typed.start)) != NULL) {
        char *line = typed.data + typed.start;
        *newline = '\0';
        typed.start += newline + 1 - line;
        goes_on = handle_line(line);
    }
    return goes_on;
}

/* ---- Ce que le serveur envoie ---- */

/* Une réponse de "Server" dit dans infos ce qui a changé pour nous. */
static void follow_state(char *infos)
{
    char *what = next_word(&infos), *name = next_word(&infos);
    if (strcmp(what, "nick") == 0)
        snprintf(me, sizeof me, "%s", name);
    else if (strcmp(what, "join") == 0)
        snprintf(room, sizeof room, "%s", name);
    else if (strcmp(what, "quit") == 0)
        room[0] = '\0';
    else if (strcmp(what, "cancel") == 0)
        transfer_cancel(name);
    else if (strcmp(what, "rename") == 0)
        transfer_rename(name, next_word(&infos));
}

static void show(const char *from, const char *where, const char *text, int len)
{
    printf("\033[36m[%s%s%s]\033[0m : %.*s\n", from, where[0] != '\0' ? " @ " : "", where, len, text);
}

static void handle_message(struct message *msg, const char *text)
{
    const char *from = msg->nick_sender;
    printf(ERASE);
    switch (msg->type) {
    case FILE_REQUEST: transfer_requested(&server, me, from, text, msg->pld_len); break;
    case FILE_ACCEPT: transfer_accepted(me, from, text, msg->pld_len); break;
    case FILE_REJECT: transfer_rejected(from); break;
    case MULTICAST_SEND: show(from, msg->infos, text, msg->pld_len); break;
    case BROADCAST_SEND: show(from, "tous", text, msg->pld_len); break;
    default:
        show(from, "", text, msg->pld_len);
        if (msg->type == ECHO_SEND && strcmp(from, "Server") == 0)
            follow_state(msg->infos);
    }
}

/* Rend 0 quand le serveur est parti. */
static int handle_server(void)
{
    struct message msg;
    char *text;
    int gone = conn_read(&server) < 0, got;
    while ((got = conn_next(&server, &msg, &text)) > 0)
        handle_message(&msg, text);
    if (got < 0)
        printf(ERASE "Le serveur envoie n'importe quoi, j'arrête là.\n");
    else if (gone)
        printf(ERASE "Le serveur a fermé la connexion.\n");
    return !gone && got == 0;
}

/* ---- Démarrage et boucle ---- */

static int connect_to_server(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found, *a;
    int fd = -1, error = getaddrinfo(host, port, &hints, &found);
    if (error != 0) {
        fprintf(stderr, "Hôte inconnu %s : %s\n", host, gai_strerror(error));
        return -1;
    }
    for (a = found; a != NULL; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0)
            break;
        error = errno;
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    if (fd < 0)
        fprintf(stderr, "Connexion à %s:%s impossible : %s\n", host, port, strerror(error));
    return fd;
}

/* Rend le code de sortie. */
static int chat(void)
{
    struct pollfd fds[2 + MAX_TRANSFER_FDS];
    int prompt = 1;
    while (!stopped && !server.dead) {
        if (prompt)
            printf(PROMPT);
        fflush(stdout);
        fds[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = server.fd,
                                 .events = conn_pending(&server) ? POLLIN | POLLOUT : POLLIN};
        size_t files = transfers_fill(fds + 2);
        if (poll(fds, 2 + files, files > 0 ? 1000 : -1) < 0)
            continue;
        prompt = transfers_run() > 0 || fds[0].revents != 0 || fds[1].revents != 0;
        if (fds[1].revents & POLLOUT)
            conn_flush(&server);
        if (fds[1].revents & ~POLLOUT && !handle_server())
            return EXIT_FAILURE;
        if (fds[0].revents != 0 && !handle_keyboard())
            break;
    }
    printf(server.dead ? "La connexion est perdue.\n" : "Au revoir !\n");
    return server.dead ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void on_sigint(int signum)
{
    (void)signum;
    stopped = 1;
}

int main(int argc, char *argv[])
{
    char *end = NULL;
    long port = argc == 3 ? strtol(argv[2], &end, 10) : 0;
    if (argc != 3 || end == argv[2] || *end != '\0' || port < 1 || port > 65535) {
        fprintf(stderr, "Usage : %s <adresse> <port>  (port entre 1 et 65535)\n", argv[0]);
        return EXIT_FAILURE;
    }
    int fd = connect_to_server(argv[1], argv[2]);
    if (fd < 0)
        return EXIT_FAILURE;
    struct sigaction action = {.sa_handler = on_sigint};
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    conn_init(&server, fd);
    printf("Connecté à %s:%s\n", argv[1], argv[2]);
    int status = chat();
    transfers_end();
    conn_flush(&server);
    conn_close(&server);
    buffer_free(&typed);
    return status;
}
