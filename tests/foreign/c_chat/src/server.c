/* Serveur de chat : ./server <port>. Un seul processus, poll(), listes chainees. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "conn.h"

#define NAME_MAX_LEN 32
#define MAX_DEMANDS 50
#define SERVER "Server"

struct room {
    char name[NAME_MAX_LEN + 1];
    struct room *next;
};

struct client {
    struct conn conn;
    char name[NAME_MAX_LEN + 1]; /* vide : pas encore identifie */
    char ip[INET_ADDRSTRLEN];
    int port;
    time_t since;
    struct room *room;
    struct client *next;
};

/* Une demande d'envoi de fichier qui attend sa reponse. */
struct demand {
    struct client *from, *to;
    char from_name[NAME_MAX_LEN + 1]; /* celui d'alors : from a pu en changer depuis */
    struct demand *next;
};

static struct client *clients;
static struct room *rooms;
static struct demand *demands;
static volatile sig_atomic_t stopped;

/* ---- Repondre ---- */

/* Toutes les reponses sont des ECHO_SEND de "Server". infos annonce un changement d'etat au
 * client : "nick X", "join X", "quit X", "cancel X", "rename X Y" ; vide sinon. */
__attribute__((format(printf, 3, 4)))
static void reply(struct client *c, const char *infos, const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    if (len < 0)
        return;
    conn_send(&c->conn, ECHO_SEND, SERVER, infos, text, len);
    free(text);
}

static struct client *find_client(const char *name)
{
    for (struct client *c = clients; c != NULL; c = c->next)
        if (c->name[0] != '\0' && !c->conn.dead && strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

static struct room *find_room(const char *name)
{
    for (struct room *r = rooms; r != NULL; r = r->next)
        if (strcmp(r->name, name) == 0)
            return r;
    return NULL;
}

static int valid_name(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > NAME_MAX_LEN)
        return 0;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)name[i]))
            return 0;
    return 1;
}

/* ---- Jalon 2 : utilisateurs ---- */

static void on_nick(struct client *c, const char *name)
{
    char state[INFOS_LEN], before[NAME_MAX_LEN + 1];
    if (!valid_name(name)) {
        reply(c, "", "Pseudo refusé : de 1 à %d lettres ou chiffres, rien d'autre.", NAME_MAX_LEN);
        return;
    }
    if (find_client(name) != NULL || strcasecmp(name, SERVER) == 0) {
        reply(c, "", "Pseudo refusé : il est déjà pris.");
        return;
    }
    strcpy(before, c->name);
    strcpy(c->name, name); /* valid_name() a vérifié la longueur */
    snprintf(state, sizeof state, "rename %s %s", before, c->name);
    for (struct demand *d = demands; d != NULL; d = d->next)
        if (d->from == c || d->to == c)
            reply(d->from == c ? d->to : d->from, state, "%s s'appelle maintenant %s.", before,
                  c->name);
    snprintf(state, sizeof state, "nick %s", c->name);
    reply(c, state, "Bienvenue sur le chat, %s !", c->name);
}

static void on_who(struct client *c)
{
    struct buffer text = {0};
    for (struct client *o = clients; o != NULL; o = o->next)
        if (o->name[0] != '\0' && !o->conn.dead)
            text.end += sprintf(buffer_room(&text, NAME_MAX_LEN + 8), "\n\t- %s", o->name);
    reply(c, "", "Utilisateurs en ligne :%s", text.data);
    buffer_free(&text);
}

static void on_infos(struct client *c, const char *name)
{
    struct client *o = find_client(name);
    if (o == NULL) {
        reply(c, "", "L'utilisateur %s n'existe pas.", name);
        return;
    }
    char *date = ctime(&o->since);
    date[strcspn(date, "\n")] = '\0';
    reply(c, "", "%s est connecté depuis %s\n\tadresse IP : %s\n\tport : %d", o->name, date, o->ip,
          o->port);
}

static void on_unicast(struct client *c, const char *name, const char *text, size_t len)
{
    struct client *o = find_client(name);
    if (o == NULL)
        reply(c, "", "L'utilisateur %s n'existe pas.", name);
    else if (o == c)
        reply(c, "", "Vous vous parlez à vous-même ?");
    else
        conn_send(&o->conn, UNICAST_SEND, c->name, o->name, text, len);
}

static void on_broadcast(struct client *c, const char *text, size_t len)
{
    for (struct client *o = clients; o != NULL; o = o->next)
        if (o != c && o->name[0] != '\0')
            conn_send(&o->conn, BROADCAST_SEND, c->name, "", text, len);
}

/* ---- Jalon 3 : salons ---- */

static int room_is_empty(const struct room *r)
{
    for (struct client *c = clients; c != NULL; c = c->next)
        if (c->room == r)
            return 0;
    return 1;
}

static void tell_room(const struct room *r, const struct client *about, const char *what)
{
    for (struct client *o = clients; o != NULL; o = o->next)
        if (o->room == r && o != about)
            reply(o, "", "INFO> %s %s le salon %s", about->name, what, r->name);
}

static void leave_room(struct client *c)
{
    struct room *r = c->room;
    char state[INFOS_LEN];
    if (r == NULL)
        return;
    c->room = NULL;
    snprintf(state, sizeof state, "quit %s", r->name);
    reply(c, state, "Vous avez quitté le salon %s", r->name);
    tell_room(r, c, "a quitté");
    if (!room_is_empty(r))
        return;
    reply(c, "", "INFO> Vous étiez le dernier, le salon %s est détruit", r->name);
    struct room **link = &rooms;
    while (*link != r)
        link = &(*link)->next;
    *link = r->next;
    free(r);
}

static void enter_room(struct client *c, struct room *r, const char *what)
{
    char state[INFOS_LEN];
    leave_room(c);
    c->room = r;
    snprintf(state, sizeof state, "join %s", r->name);
    reply(c, state, "Vous avez %s le salon %s", what, r->name);
    tell_room(r, c, "a rejoint");
}

static void on_create(struct client *c, const char *name)
{
    if (!valid_name(name)) {
        reply(c, "", "Nom de salon refusé : de 1 à %d lettres ou chiffres.", NAME_MAX_LEN);
        return;
    }
    if (find_room(name) != NULL) {
        reply(c, "", "Le salon %s existe déjà.", name);
        return;
    }
    struct room *r = calloc(1, sizeof *r);
    if (r == NULL)
        return;
    strcpy(r->name, name);
    r->next = rooms;
    rooms = r;
    enter_room(c, r, "créé");
}

static void on_room_list(struct client *c)
{
    struct buffer text = {0};
    for (struct room *r = rooms; r != NULL; r = r->next)
        text.end += sprintf(buffer_room(&text, NAME_MAX_LEN + 8), "\n\t- %s", r->name);
    if (rooms == NULL)
        reply(c, "", "Il n'y a aucun salon.");
    else
        reply(c, "", "Salons ouverts :%s", text.data);
    buffer_free(&text);
}

static void on_join(struct client *c, const char *name)
{
    struct room *r = find_room(name);
    if (r == NULL)
        reply(c, "", "Le salon %s n'existe pas.", name);
    else if (r == c->room)
        reply(c, "", "Vous êtes déjà dans le salon %s.", name);
    else
        enter_room(c, r, "rejoint");
}

static void on_multicast(struct client *c, const char *name, const char *text, size_t len)
{
    if (c->room == NULL || (name[0] != '\0' && strcmp(c->room->name, name) != 0)) {
        reply(c, "", "Vous n'êtes pas dans ce salon.");
        return;
    }
    for (struct client *o = clients; o != NULL; o = o->next)
        if (o != c && o->room == c->room)
            conn_send(&o->conn, MULTICAST_SEND, c->name, c->room->name, text, len);
}

static void on_room_quit(struct client *c, const char *name)
{
    if (c->room == NULL || (name[0] != '\0' && strcmp(c->room->name, name) != 0))
        reply(c, "", "Vous n'êtes pas dans ce salon.");
    else
        leave_room(c);
}

/* ---- Jalon 4 : mettre en relation pour un fichier ---- */

static void remove_demand(struct demand *d)
{
    struct demand **link = &demands;
    while (*link != d)
        link = &(*link)->next;
    *link = d->next;
    free(d);
}

static void on_file_request(struct client *c, const char *name, const char *file, size_t len)
{
    struct client *o = find_client(name);
    char state[INFOS_LEN];
    int waiting = 0;
    if (o == NULL || o == c || len == 0) {
        snprintf(state, sizeof state, "cancel %.100s", name);
        reply(c, state, o == NULL ? "L'utilisateur %s n'existe pas." : "Envoi à %s refusé.", name);
        return;
    }
    struct demand **link = &demands;
    for (; *link != NULL; link = &(*link)->next)
        waiting += (*link)->from == c;
    struct demand *d = waiting < MAX_DEMANDS ? calloc(1, sizeof *d) : NULL;
    if (d == NULL) {
        c->conn.dead = 1; /* personne d'honnete n'en a cinquante en attente */
        return;
    }
    d->from = c;
    d->to = o;
    strcpy(d->from_name, c->name);
    *link = d;
    conn_send(&o->conn, FILE_REQUEST, c->name, o->name, file, len);
}

static void on_file_answer(struct client *c, enum msg_type type, const char *name,
                           const char *text, size_t len)
{
    for (struct demand *d = demands; d != NULL; d = d->next) {
        if (d->to == c && (strcmp(d->from->name, name) == 0 || strcmp(d->from_name, name) == 0)) {
            conn_send(&d->from->conn, type, c->name, name, text, len);
            remove_demand(d);
            return;
        }
    }
    reply(c, "", "Aucune demande de fichier en attente de la part de %s.", name);
}

static void cancel_demands(struct client *c)
{
    char state[INFOS_LEN];
    snprintf(state, sizeof state, "cancel %s", c->name);
    for (struct demand *d = demands, *next; d != NULL; d = next) {
        next = d->next;
        if (d->from != c && d->to != c)
            continue;
        reply(d->from == c ? d->to : d->from, state, "%s est parti, transfert annulé.", c->name);
        remove_demand(d);
    }
}

/* ---- La boucle ---- */

static void dispatch(struct client *c, struct message *msg, char *payload)
{
    size_t len = msg->pld_len;
    if (c->name[0] == '\0' && msg->type != NICKNAME_NEW) {
        reply(c, "", "Identifiez-vous d'abord avec /nick <votre pseudo>");
        return;
    }
    switch (msg->type) {
    case NICKNAME_NEW: on_nick(c, msg->infos); break;
    case NICKNAME_LIST: on_who(c); break;
    case NICKNAME_INFOS: on_infos(c, msg->infos); break;
    case ECHO_SEND: conn_send(&c->conn, ECHO_SEND, SERVER, "", payload, len); break;
    case UNICAST_SEND: on_unicast(c, msg->infos, payload, len); break;
    case BROADCAST_SEND: on_broadcast(c, payload, len); break;
    case MULTICAST_CREATE: on_create(c, msg->infos); break;
    case MULTICAST_LIST: on_room_list(c); break;
    case MULTICAST_JOIN: on_join(c, msg->infos); break;
    case MULTICAST_SEND: on_multicast(c, msg->infos, payload, len); break;
    case MULTICAST_QUIT: on_room_quit(c, msg->infos); break;
    case FILE_REQUEST: on_file_request(c, msg->infos, payload, len); break;
    case FILE_ACCEPT:
    case FILE_REJECT: on_file_answer(c, msg->type, msg->infos, payload, len); break;
    default: reply(c, "", "Message de type inconnu.");
    }
}

static void read_client(struct client *c)
{
    struct message msg;
    char *payload;
    int gone = conn_read(&c->conn) < 0, got = 0;
    while (!c->conn.dead && (got = conn_next(&c->conn, &msg, &payload)) > 0)
        dispatch(c, &msg, payload);
    if (got < 0)
        reply(c, "", "Longueur de message impossible, au revoir.");
    if (gone || got < 0)
        c->conn.dead = 1;
}

/* Rend 0 quand il n'y a plus de descripteur libre. */
static int accept_clients(int listener)
{
    struct sockaddr_in addr;
    socklen_t len = sizeof addr;
    int fd;
    while ((fd = accept(listener, (struct sockaddr *)&addr, &len)) >= 0) {
        struct client *c = calloc(1, sizeof *c);
        if (c == NULL) {
            close(fd);
            continue;
        }
        conn_init(&c->conn, fd);
        inet_ntop(AF_INET, &addr.sin_addr, c->ip, sizeof c->ip);
        c->port = ntohs(addr.sin_port);
        c->since = time(NULL);
        c->next = clients;
        clients = c;
        printf("Connexion de %s:%d (socket %d)\n", c->ip, c->port, fd);
        reply(c, "", "Bonjour ! Identifiez-vous avec /nick <votre pseudo>");
    }
    return errno != EMFILE && errno != ENFILE;
}

static void free_client(struct client *c)
{
    printf("Départ de %s:%d (%s)\n", c->ip, c->port, c->name[0] ? c->name : "sans pseudo");
    conn_close(&c->conn);
    free(c);
}

/* Retire les morts. Prevenir les autres peut en tuer de nouveaux : recommencer jusqu'au calme. */
static int bury_the_dead(void)
{
    int buried = 0;
    for (struct client **link = &clients; *link != NULL;) {
        struct client *c = *link;
        if (!c->conn.dead) {
            link = &c->next;
            continue;
        }
        cancel_demands(c);
        leave_room(c);
        *link = c->next;
        free_client(c);
        buried++;
        link = &clients;
    }
    return buried;
}

static int open_listener(int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    addr.sin_addr.s_addr = htonl(INADDR_ANY);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(fd, SOMAXCONN) < 0 ||
        set_nonblocking(fd) < 0) {
        fprintf(stderr, "Impossible d'écouter sur le port %d : %s\n", port, strerror(errno));
        exit(EXIT_FAILURE);
    }
    return fd;
}

static void serve(int listener)
{
    struct pollfd *fds = NULL;
    sigset_t no_signal_blocked;
    int room_left = 1;
    sigemptyset(&no_signal_blocked);
    while (!stopped) {
        size_t count = 1, i = 1;
        for (struct client *c = clients; c != NULL; c = c->next)
            count++;
        fds = realloc(fds, count * sizeof *fds);
        if (fds == NULL)
            exit(EXIT_FAILURE);
        fds[0] = (struct pollfd){.fd = listener, .events = room_left ? POLLIN : 0};
        for (struct client *c = clients; c != NULL; c = c->next, i++)
            fds[i] = (struct pollfd){.fd = c->conn.fd,
                                     .events = conn_pending(&c->conn) ? POLLIN | POLLOUT : POLLIN};
        if (ppoll(fds, count, NULL, &no_signal_blocked) < 0)
            continue; /* un signal */
        i = 1;
        for (struct client *c = clients; c != NULL; c = c->next, i++) {
            if (fds[i].revents & POLLOUT)
                conn_flush(&c->conn);
            if (fds[i].revents & ~POLLOUT && !c->conn.dead)
                read_client(c);
        }
        if (bury_the_dead() > 0)
            room_left = 1;
        if (fds[0].revents & POLLIN)
            room_left = accept_clients(listener);
        bury_the_dead();
        fflush(stdout);
    }
    free(fds);
}

static void on_sigint(int signum)
{
    (void)signum;
    stopped = 1;
}

int main(int argc, char *argv[])
{
    char *end = NULL;
    long port = argc == 2 ? strtol(argv[1], &end, 10) : 0;
    if (argc != 2 || end == argv[1] || *end != '\0' || port < 1 || port > 65535) {
        fprintf(stderr, "Usage : %s <port>  (port entre 1 et 65535)\n", argv[0]);
        return EXIT_FAILURE;
    }
    struct sigaction action = {.sa_handler = on_sigint};
    sigset_t sigint; /* bloqué hors de ppoll() : jamais perdu juste avant l'attente */
    sigemptyset(&sigint);
    sigaddset(&sigint, SIGINT);
    sigprocmask(SIG_BLOCK, &sigint, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    int listener = open_listener(port);
    printf("Serveur prêt sur le port %ld\n", port);
    fflush(stdout);
    serve(listener);
    printf("\nArrêt du serveur\n");
    close(listener);
    while (clients != NULL) {
        clients->conn.dead = 1;
        bury_the_dead();
    }
    return EXIT_SUCCESS;
}
