/*
 * What milestone 1's server is measured against: an echo server on poll() in C, the same loop with
 * the same promises (never waits for a client, partial sends, no reading while the echo is not
 * gone), without the search for a line /quit.
 *
 *     echo
 *
 * Listens on a free port of 127.0.0.1 and prints it as our servers do.
 */
#define _GNU_SOURCE
#include "listen.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024, MOST = 16 * 1024 };

struct client {
    char *outbox; /* not yet taken by the kernel; NULL: nothing */
    size_t waiting;
};

static struct pollfd fds[MOST];
static struct client clients[MOST];
static int count;

static void drop(int i)
{
    close(fds[i].fd);
    free(clients[i].outbox);
    count--;
    fds[i] = fds[count];
    clients[i] = clients[count];
}

static void accept_clients(int listener)
{
    int fd;
    while (count < MOST && (fd = accept_client(listener)) >= 0) {
        fds[count] = (struct pollfd){.fd = fd, .events = POLLIN};
        clients[count] = (struct client){0};
        count++;
    }
}

/* Offer bytes to the kernel; what it does not take waits for POLLOUT. */
static int echo(int i, const char *data, size_t length)
{
    ssize_t sent = send(fds[i].fd, data, length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        return -1;
    sent = sent < 0 ? 0 : sent;
    char *rest = NULL;
    if ((size_t)sent < length) {
        rest = malloc(length - sent);
        memcpy(rest, data + sent, length - sent);
    }
    free(clients[i].outbox);
    clients[i] = (struct client){rest, length - sent};
    fds[i].events = rest ? POLLOUT : POLLIN;
    return 0;
}

static int serve(int i)
{
    static char data[CHUNK];
    if (fds[i].revents & POLLIN) {
        ssize_t got = recv(fds[i].fd, data, sizeof data, 0);
        if (got <= 0)
            return got < 0 && errno == EAGAIN ? 0 : -1;
        return echo(i, data, got);
    }
    if (fds[i].revents & POLLOUT)
        return echo(i, clients[i].outbox, clients[i].waiting);
    return -1;
}

int main(void)
{
    int listener = listen_on_free_port();
    fds[count++] = (struct pollfd){.fd = listener, .events = POLLIN};
    for (;;) {
        int ready = poll(fds, count, -1);
        for (int i = count - 1; i > 0 && ready > 0; i--)
            if (fds[i].revents) {
                ready--;
                if (serve(i) < 0)
                    drop(i);
            }
        if (fds[0].revents)
            accept_clients(listener);
    }
}
