/*
 * The trivial server that shows what the load generator can do: whatever a client sends goes to the
 * others of its group, unread. No protocol, no names, no check: nothing that delivers does less.
 *
 *     relay GROUP
 *
 * The first GROUP clients are a group, the next GROUP are another, and so on. 2 makes pairs.
 * As in our servers, what gathered for a client in one turn leaves with one `send`.
 */
#define _GNU_SOURCE
#include "listen.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024, OUTBOX = 1024 * 1024, MOST = 1024 };

static struct pollfd fds[MOST]; /* 0 is the listener */
static char *outbox[MOST];
static size_t waiting[MOST];
static int count = 1;

static void relay(int from, int group)
{
    static char data[CHUNK];
    ssize_t got = recv(fds[from].fd, data, sizeof data, 0);
    if (got <= 0) /* the run is over */
        exit(0);
    int first = (from - 1) / group * group + 1;
    for (int to = first; to < first + group && to < count; to++)
        if (to != from) {
            if (waiting[to] + got > OUTBOX)
                exit(1);
            memcpy(outbox[to] + waiting[to], data, got);
            waiting[to] += got;
        }
}

int main(int argc, char **argv)
{
    int group = argc == 2 ? atoi(argv[1]) : 2;
    fds[0] = (struct pollfd){.fd = listen_on_free_port(), .events = POLLIN};
    for (;;) {
        poll(fds, count, -1);
        /* Always: nobody may be missing when the first message is passed on. */
        for (int fd; count < MOST && (fd = accept_client(fds[0].fd)) >= 0;) {
            fds[count] = (struct pollfd){.fd = fd, .events = POLLIN};
            outbox[count++] = malloc(OUTBOX);
        }
        for (int i = 1; i < count; i++)
            if (fds[i].revents)
                relay(i, group);
        for (int i = 1; i < count; i++)
            if (waiting[i]) {
                ssize_t sent = send(fds[i].fd, outbox[i], waiting[i], MSG_NOSIGNAL);
                if (sent > 0) {
                    waiting[i] -= sent;
                    memmove(outbox[i], outbox[i] + sent, waiting[i]);
                }
            }
    }
}
