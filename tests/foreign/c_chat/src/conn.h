/* Une connexion non bloquante : ce qui est arrive, ce qui reste a envoyer. */
#ifndef CONN_H
#define CONN_H

#include <stddef.h>

#include "msg_struct.h"

#define MAX_PAYLOAD (256 * 1024)      /* un message plus long est refuse */
#define MAX_PENDING (4 * 1024 * 1024) /* celui qui ne lit pas est deconnecte */

struct buffer {
    char *data;
    size_t start, end, cap;
};

struct conn {
    int fd;
    int dead; /* a fermer a la fin du tour de boucle */
    struct buffer in, out;
};

int set_nonblocking(int fd);
void *buffer_room(struct buffer *b, size_t len);
void buffer_free(struct buffer *b);

void conn_init(struct conn *c, int fd);
void conn_close(struct conn *c);
int conn_read(struct conn *c);   /* -1 : l'autre est parti */
void conn_flush(struct conn *c); /* envoie ce que le noyau veut bien prendre */
int conn_pending(const struct conn *c);
void conn_send(struct conn *c, enum msg_type type, const char *from, const char *infos,
               const char *payload, size_t len);

/* 1 : un message complet (*payload valable jusqu'au prochain appel) ; 0 : il en manque ;
 * -1 : longueur impossible. Les deux champs sont toujours termines par '\0'. */
int conn_next(struct conn *c, struct message *msg, char **payload);

#endif
