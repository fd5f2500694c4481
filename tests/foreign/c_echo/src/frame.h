/* Une trame : la longueur du texte sur 4 octets (ordre du réseau), puis le texte, sans '\0'. */
#ifndef FRAME_H
#define FRAME_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#define LENGTH_SIZE 4
#define MAX_TEXT (16 * 1024)

struct buffer {
    char data[LENGTH_SIZE + MAX_TEXT];
    size_t len;
};

/* Taille de la trame complète au début du tampon ; 0 : il en manque ; -1 : longueur impossible. */
static inline int frame_size(const struct buffer *b)
{
    uint32_t text;
    if (b->len < LENGTH_SIZE)
        return 0;
    memcpy(&text, b->data, LENGTH_SIZE);
    text = ntohl(text);
    if (text > MAX_TEXT)
        return -1;
    return b->len >= LENGTH_SIZE + text ? (int)(LENGTH_SIZE + text) : 0;
}

static inline void drop_front(struct buffer *b, size_t n)
{
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}

/* -1 : la connexion est finie. Ni l'une ni l'autre n'attend. */
static inline int receive(int fd, struct buffer *b)
{
    ssize_t n = recv(fd, b->data + b->len, sizeof b->data - b->len, MSG_DONTWAIT);
    if (n > 0)
        b->len += n;
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ? -1 : 0;
}

static inline int transmit(int fd, struct buffer *b)
{
    ssize_t n = send(fd, b->data, b->len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0)
        drop_front(b, n);
    return n < 0 && errno != EAGAIN && errno != EINTR ? -1 : 0;
}

#endif
