#include "transfer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PEER_LEN 101
#define CANDIDATES 4
#define PATIENCE 20 /* secondes sans un octet : le transfert a échoué */
#define INBOX "inbox"

enum state { ASKED, LISTENING, RECEIVING, CONNECTING, SENDING, WAITING_ACK };

/* Quelqu'un qui s'est connecté à nous et n'a pas encore dit qui il est. */
struct candidate {
    int fd;
    size_t got;
    struct message head;
};

struct transfer {
    enum state state;
    int outgoing;
    char peer[PEER_LEN];
    char peer_before[PEER_LEN]; /* son pseudo quand la demande est partie */
    char name[INFOS_LEN]; /* nom du fichier, sans répertoire */
    char part[64];        /* réception : fichier provisoire */
    int file, listener, sock;
    struct candidate candidates[CANDIDATES];
    struct message head;
    size_t head_done;
    off_t size, done;
    time_t last;
    struct transfer *next;
};

static struct transfer *transfers; /* dans l'ordre d'arrivée */
static int news;                   /* lignes affichées par transfers_run() */

/* Ce qui arrive sans qu'on tape rien : efface l'invite avant. */
#define TELL(...) (printf("\r\033[K" __VA_ARGS__), news++)

/* ---- La liste ---- */

static struct transfer *new_transfer(int outgoing, const char *peer, const char *name)
{
    struct transfer *t = calloc(1, sizeof *t), **link = &transfers;
    int count = 0;
    for (; *link != NULL; link = &(*link)->next)
        count++;
    if (t == NULL || count >= MAX_TRANSFERS) {
        free(t);
        return NULL;
    }
    *link = t;
    t->outgoing = outgoing;
    t->file = t->listener = t->sock = -1;
    for (int i = 0; i < CANDIDATES; i++)
        t->candidates[i].fd = -1;
    snprintf(t->peer, sizeof t->peer, "%s", peer);
    snprintf(t->peer_before, sizeof t->peer_before, "%s", peer);
    snprintf(t->name, sizeof t->name, "%s", name);
    return t;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void stop_listening(struct transfer *t)
{
    close_fd(&t->listener);
    for (int i = 0; i < CANDIDATES; i++)
        close_fd(&t->candidates[i].fd);
}

static void remove_transfer(struct transfer *t)
{
    struct transfer **link = &transfers;
    while (*link != t)
        link = &(*link)->next;
    *link = t->next;
    stop_listening(t);
    close_fd(&t->sock);
    close_fd(&t->file);
    if (t->part[0] != '\0')
        unlink(t->part);
    free(t);
}

static void fail(struct transfer *t, const char *why)
{
    TELL("Échec du transfert de \"%s\" (%s) : %s\n", t->name, t->peer, why);
    remove_transfer(t);
}

static struct transfer *find_asked(int outgoing, const char *peer)
{
    for (struct transfer *t = transfers; t != NULL; t = t->next)
        if (t->state == ASKED && t->outgoing == outgoing &&
            (peer == NULL || strcmp(t->peer, peer) == 0))
            return t;
    return NULL;
}

static void wait_in(struct transfer *t, enum state state)
{
    t->state = state;
    t->last = time(NULL);
}

/* ---- Envoyer ---- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

void transfer_offer(struct conn *server, const char *me, const char *to, char *path)
{
    struct stat st;
    size_t len = strlen(path);
    if (len >= 2 && path[0] == '"' && path[len - 1] == '"') {
        path[len - 1] = '\0';
        path++;
    }
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > INT_MAX ||
        strlen(base_name(path)) >= INFOS_LEN) {
        printf("Impossible d'envoyer %s : %s\n", path,
               fd < 0 ? strerror(errno) : "ce n'est pas un fichier, ou il est trop gros");
        close_fd(&fd);
        return;
    }
    struct transfer *t = new_transfer(1, to, base_name(path));
    if (t == NULL) {
        printf("Trop de transferts en cours.\n");
        close(fd);
        return;
    }
    t->file = fd;
    printf("Demande envoyée à %s pour \"%s\"\n", t->peer, t->name);
    conn_send(server, FILE_REQUEST, me, t->peer, t->name, strlen(t->name));
}

/* "adresse:port" ou "[adresse]:port" : rend une socket qui se connecte, ou -1. */
static int connect_to(char *where)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *found;
    char *colon = strrchr(where, ':');
    if (colon == NULL)
        return -1;
    *colon = '\0';
    if (where[0] == '[' && colon[-1] == ']') {
        where++;
        colon[-1] = '\0';
    }
    if (getaddrinfo(where, colon + 1, &hints, &found) != 0)
        return -1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) < 0 && errno != EINPROGRESS)
        close_fd(&fd);
    freeaddrinfo(found);
    return fd;
}

void transfer_accepted(const char *me, const char *by, const char *where, size_t len)
{
    struct transfer *t = find_asked(1, by);
    struct stat st;
    char address[128];
    if (t == NULL)
        return;
    printf("%s a accepté le fichier \"%s\", connexion...\n", by, t->name);
    snprintf(address, sizeof address, "%.*s", (int)len, where);
    t->sock = connect_to(address);
    if (t->sock < 0 || fstat(t->file, &st) < 0 || st.st_size > INT_MAX) {
        fail(t, "impossible de se connecter");
        return;
    }
    t->size = st.st_size;
    memset(&t->head, 0, sizeof t->head);
    t->head.pld_len = (int)t->size;
    t->head.type = FILE_SEND;
    snprintf(t->head.nick_sender, NICK_LEN, "%s", me);
    snprintf(t->head.infos, INFOS_LEN, "%s", t->name);
    wait_in(t, CONNECTING);
}

void transfer_rejected(const char *by)
{
    struct transfer *t = find_asked(1, by);
    if (t == NULL)
        return;
    printf("%s a refusé le fichier \"%s\".\n", by, t->name);
    remove_transfer(t);
}

/* Les deux fonctions suivantes rendent 1 s'il faut continuer, 0 s'il faut attendre, et -1 quand
 * le transfert est fini (et n'existe plus). */
static int run_sender(struct transfer *t)
{
    int error = 0;
    socklen_t size = sizeof error;
    ssize_t n;
    if (t->state == CONNECTING) {
        struct pollfd ready = {.fd = t->sock, .events = POLLOUT};
        if (poll(&ready, 1, 0) <= 0)
            return 0;
        getsockopt(t->sock, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) {
            fail(t, strerror(error));
            return -1;
        }
        wait_in(t, SENDING);
    }
    if (t->state == WAITING_ACK) {
        n = recv(t->sock, (char *)&t->head + t->head_done, sizeof t->head - t->head_done, 0);
        if (n > 0 && (t->head_done += n) == sizeof t->head && t->head.type == FILE_ACK) {
            TELL("%s a bien reçu le fichier \"%s\".\n", t->peer, t->name);
            remove_transfer(t);
            return -1;
        }
        if (n > 0 && t->head_done < sizeof t->head)
            return 1;
    } else if (t->head_done < sizeof t->head) {
        n = send(t->sock, (char *)&t->head + t->head_done, sizeof t->head - t->head_done, 0);
        if (n > 0)
            t->head_done += n;
    } else if (t->done < t->size) {
        n = sendfile(t->sock, t->file, &t->done, t->size - t->done);
        if (n == 0) {
            fail(t, "le fichier a raccourci pendant l'envoi");
            return -1;
        }
    } else {
        t->head_done = 0;
        wait_in(t, WAITING_ACK);
        return 1;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0 || t->state == WAITING_ACK) {
        fail(t, n < 0 ? strerror(errno) : "le destinataire a coupé avant de confirmer");
        return -1;
    }
    t->last = time(NULL);
    return 0; /* au tour des autres */
}

/* ---- Recevoir ---- */

void transfer_ask_again(void)
{
    struct transfer *t = find_asked(0, NULL);
    if (t != NULL)
        printf("%s veut vous envoyer le fichier \"%s\". Acceptez-vous ? [Y/N]\n", t->peer, t->name);
}

int transfer_question(void)
{
    return find_asked(0, NULL) != NULL;
}

void transfer_requested(struct conn *server, const char *me, const char *from, const char *file,
                        size_t len)
{
    char path[512];
    int first = !transfer_question();
    snprintf(path, sizeof path, "%.*s", (int)len, file);
    const char *name = base_name(path); /* jamais hors de inbox/ */
    for (char *p = path; *p != '\0'; p++)
        if ((unsigned char)*p < ' ')
            *p = '_';
    if (name[0] == '\0' || strlen(name) >= INFOS_LEN || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0 || new_transfer(0, from, name) == NULL)
        conn_send(server, FILE_REJECT, me, from, "", 0);
    else if (first)
        transfer_ask_again();
}

/* Écoute sur l'adresse que nous avons face au serveur, port au choix du système. */
static int open_listener(const struct conn *server, char *where, size_t size)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    char host[NI_MAXHOST], port[NI_MAXSERV];
    if (getsockname(server->fd, (struct sockaddr *)&addr, &len) < 0)
        return -1;
    if (addr.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&addr)->sin6_port = 0;
    else
        ((struct sockaddr_in *)&addr)->sin_port = 0;
    int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) < 0 || listen(fd, CANDIDATES) < 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) < 0 ||
        getnameinfo((struct sockaddr *)&addr, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        close_fd(&fd);
        return -1;
    }
    snprintf(where, size, addr.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    return fd;
}

static int open_part(struct transfer *t)
{
    static int number;
    mkdir(INBOX, 0777);
    snprintf(t->part, sizeof t->part, INBOX "/.part-%d-%d", (int)getpid(), number++);
    t->file = open(t->part, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (t->file < 0)
        t->part[0] = '\0';
    return t->file;
}

void transfer_answer(struct conn *server, const char *me, int yes)
{
    struct transfer *t = find_asked(0, NULL);
    char where[NI_MAXHOST + NI_MAXSERV + 4];
    if (t == NULL)
        return;
    if (yes && (open_part(t) < 0 || (t->listener = open_listener(server, where, sizeof where)) < 0))
        printf("Impossible de recevoir \"%s\" : %s\n", t->name, strerror(errno));
    if (t->listener >= 0) {
        printf("Réception de \"%s\" de la part de %s...\n", t->name, t->peer);
        conn_send(server, FILE_ACCEPT, me, t->peer, where, strlen(where));
        wait_in(t, LISTENING);
    } else {
        printf("Fichier \"%s\" refusé.\n", t->name);
        conn_send(server, FILE_REJECT, me, t->peer, "", 0);
        remove_transfer(t);
    }
    transfer_ask_again();
}

static void look_at(struct transfer *t, struct candidate *c)
{
    ssize_t n = recv(c->fd, (char *)&c->head + c->got, sizeof c->head - c->got, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        c->got += n;
    if (n > 0 && c->got < sizeof c->head)
        return;
    c->head.nick_sender[NICK_LEN - 1] = c->head.infos[INFOS_LEN - 1] = '\0';
    if (n <= 0 || c->head.type != FILE_SEND || c->head.pld_len < 0 ||
        (strcmp(c->head.nick_sender, t->peer) != 0 &&
         strcmp(c->head.nick_sender, t->peer_before) != 0) ||
        strcmp(c->head.infos, t->name) != 0) {
        close_fd(&c->fd);
        return;
    }
    t->sock = c->fd;
    t->size = c->head.pld_len;
    c->fd = -1;
    stop_listening(t);
    wait_in(t, RECEIVING);
}

static void run_listener(struct transfer *t)
{
    for (int i = 0; i < CANDIDATES && t->state == LISTENING; i++) {
        struct candidate *c = &t->candidates[i];
        if (c->fd < 0) {
            c->fd = accept4(t->listener, NULL, NULL, SOCK_NONBLOCK);
            c->got = 0;
        }
        if (c->fd >= 0)
            look_at(t, c);
    }
}

/* Donne son nom au fichier complet, sans jamais en remplacer un autre. */
static int give_final_name(struct transfer *t, char *path, size_t size)
{
    snprintf(path, size, INBOX "/%s", t->name);
    for (int i = 1; link(t->part, path) < 0; i++) {
        if (errno != EEXIST)
            return -1;
        snprintf(path, size, INBOX "/%.100s.%d", t->name, i);
    }
    return 0;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0) {
            data += n;
            len -= n;
        }
    }
    return 0;
}

static void finish_receiving(struct transfer *t)
{
    char path[INFOS_LEN + 32];
    if (close(t->file) < 0 || give_final_name(t, path, sizeof path) < 0) {
        t->file = -1;
        fail(t, strerror(errno));
        return;
    }
    t->file = -1;
    memset(&t->head, 0, sizeof t->head);
    t->head.type = FILE_ACK;
    snprintf(t->head.infos, INFOS_LEN, "%s", t->name);
    send(t->sock, &t->head, sizeof t->head, 0);
    TELL("Fichier reçu de %s, enregistré dans %s\n", t->peer, path);
    remove_transfer(t);
}

static void run_receiver(struct transfer *t)
{
    static char block[64 * 1024];
    off_t left = t->size - t->done;
    size_t want = left < (off_t)sizeof block ? (size_t)left : sizeof block;
    if (left > 0) {
        ssize_t n = recv(t->sock, block, want, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0 || write_all(t->file, block, n) < 0) {
            fail(t, n == 0 ? "l'expéditeur a coupé avant la fin" : strerror(errno));
            return;
        }
        t->done += n;
        t->last = time(NULL);
    }
    if (t->done == t->size)
        finish_receiving(t);
}

/* ---- Les deux sens ---- */

void transfer_cancel(const char *peer)
{
    struct transfer *t;
    for (int outgoing = 0; outgoing < 2; outgoing++) {
        while ((t = find_asked(outgoing, peer)) != NULL) {
            printf("Transfert de \"%s\" annulé.\n", t->name);
            remove_transfer(t);
        }
    }
}

void transfer_rename(const char *before, const char *after)
{
    for (struct transfer *t = transfers; t != NULL; t = t->next)
        if (strcmp(t->peer, before) == 0)
            snprintf(t->peer, sizeof t->peer, "%s", after);
}

size_t transfers_fill(struct pollfd *fds)
{
    size_t n = 0;
    for (struct transfer *t = transfers; t != NULL; t = t->next) {
        int writes = t->state == CONNECTING || t->state == SENDING;
        if (t->sock >= 0)
            fds[n++] = (struct pollfd){.fd = t->sock, .events = writes ? POLLOUT : POLLIN};
        int slots = 0;
        for (int i = 0; i < CANDIDATES && t->listener >= 0; i++) {
            if (t->candidates[i].fd >= 0)
                fds[n++] = (struct pollfd){.fd = t->candidates[i].fd, .events = POLLIN};
            else
                slots++;
        }
        if (slots > 0)
            fds[n++] = (struct pollfd){.fd = t->listener, .events = POLLIN};
    }
    return n;
}

int transfers_run(void)
{
    news = 0;
    for (struct transfer *t = transfers, *next; t != NULL; t = next) {
        next = t->next;
        if (t->state != ASKED && time(NULL) - t->last > PATIENCE)
            fail(t, "plus de nouvelles");
        else if (t->state == LISTENING)
            run_listener(t);
        else if (t->state == RECEIVING)
            run_receiver(t);
        else if (t->state != ASKED)
            while (run_sender(t) > 0)
                ;
    }
    return news;
}

void transfers_end(void)
{
    while (transfers != NULL)
        remove_transfer(transfers);
}
