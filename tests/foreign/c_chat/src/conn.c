#include "conn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int set_nonblocking(int fd)
{
    return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* De la place pour len octets a la fin du tampon. */
void *buffer_room(struct buffer *b, size_t len)
{
    if (b->start == b->end) {
        b->start = b->end = 0;
    } else if (b->end + len > b->cap && b->start > 0) {
        memmove(b->data, b->data + b->start, b->end - b->start);
        b->end -= b->start;
        b->start = 0;
    }
    if (b->end + len > b->cap) {
        b->cap = 2 * (b->end + len);
        b->data = realloc(b->data, b->cap);
        if (b->data == NULL) {
            perror("realloc");
            exit(EXIT_FAILURE);
        }
    }
    return b->data + b->end;
}

void buffer_free(struct buffer *b)
{
    free(b->data);
    memset(b, 0, sizeof *b);
}

void conn_init(struct conn *c, int fd)
{
    memset(c, 0, sizeof *c);
    c->fd = fd;
    set_nonblocking(fd);
}

void conn_close(struct conn *c)
{
    close(c->fd);
    buffer_free(&c->in);
    buffer_free(&c->out);
}

int conn_read(struct conn *c)
{
    const size_t chunk = 16 * 1024;
    ssize_t n = recv(c->fd, buffer_room(&c->in, chunk), chunk, 0);
    if (n > 0)
        c->in.end += n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        return -1;
    return 0;
}

int conn_pending(const struct conn *c)
{
    return c->out.end > c->out.start;
}

void conn_flush(struct conn *c)
{
    while (!c->dead && conn_pending(c)) {
        ssize_t n = send(c->fd, c->out.data + c->out.start, c->out.end - c->out.start, 0);
        if (n >= 0)
            c->out.start += n;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            c->dead = 1;
    }
    if (c->out.end - c->out.start > MAX_PENDING)
        c->dead = 1;
    if (!conn_pending(c))
        buffer_free(&c->out);
}

static void queue(struct conn *c, const void *data, size_t len)
{
    if (len == 0 || c->dead)
        return;
    memcpy(buffer_room(&c->out, len), data, len);
    c->out.end += len;
    conn_flush(c);
}

/* L'entete puis les donnees, chacun avec son send(). L'entete n'est jamais remis a zero : derriere
 * le '\0' des champs traine ce qui y etait avant. */
void conn_send(struct conn *c, enum msg_type type, const char *from, const char *infos,
               const char *payload, size_t len)
{
    static struct message msg;
    static int dirty;
    if (!dirty) {
        memset(&msg, '#', sizeof msg);
        dirty = 1;
    }
    msg.pld_len = (int)len;
    msg.type = type;
    snprintf(msg.nick_sender, NICK_LEN, "%s", from);
    snprintf(msg.infos, INFOS_LEN, "%s", infos);
    queue(c, &msg, sizeof msg);
    queue(c, payload, len);
}

int conn_next(struct conn *c, struct message *msg, char **payload)
{
    size_t have = c->in.end - c->in.start;
    if (have < sizeof *msg)
        return 0;
    memcpy(msg, c->in.data + c->in.start, sizeof *msg);
    if (msg->pld_len < 0 || msg->pld_len > MAX_PAYLOAD)
        return -1;
    if (have < sizeof *msg + msg->pld_len)
        return 0;
    /* Un champ sans '\0' est trop long pour un nom : le couper ne trompe personne, la limite du
     * serveur est plus basse. */
    msg->nick_sender[NICK_LEN - 1] = '\0';
    msg->infos[INFOS_LEN - 1] = '\0';
    *payload = c->in.data + c->in.start + sizeof *msg;
    c->in.start += sizeof *msg + msg->pld_len;
    return 1;
}
