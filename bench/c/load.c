/*
 * The load generator: keeps a number of messages under way on connections that somebody else
 * opened, counts what is delivered, and takes the time of each delivery.
 *
 *     load SECONDS WINDOW together|apart|in-turn < PLAN
 *
 * It knows no protocol. The plan has one line for each connection, a descriptor that this process
 * inherits:
 *
 *     FD UNIT AT FANOUT STAMP_AT MESSAGE
 *
 * UNIT is the length of what is delivered on it, and AT the offset of the stamp in there; UNIT 0:
 * throw away what comes. FANOUT is to how many each message of this connection is delivered, and
 * STAMP_AT the offset of the stamp in MESSAGE, which is written as hex digits; FANOUT 0: silent.
 * The stamp is 20 hex digits: 16 for the time in nanoseconds, 4 for the line of who sent it.
 *
 * Closed loop: WINDOW messages of each talker are under way; when all deliveries of one are in,
 * the next is sent, each with a `send` of its own, or (`together`) those that became due at the
 * same time with one. `in-turn`: one message is under way in all, and the talkers take turns. After SECONDS no more is sent and what is under way is waited for: so every
 * message counted was delivered completely. Prints one line of JSON.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum { STAMP = 20, LINE = 8192, CHUNK = 256 * 1024, STEPS = 64, BUCKETS = 64 * STEPS };

struct connection {
    int fd;
    size_t unit, at; /* of what comes */
    long fanout;     /* of what goes */
    size_t stamp_at, length;
    char *message;
    long sent, delivered;
    size_t have; /* bytes of an incomplete unit in `rest` */
    char *rest;
};

static struct connection *connections;
static long count;
static long window;
static int together, in_turn;
static unsigned long long histogram[BUCKETS];

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, errno ? strerror(errno) : "wrong");
    exit(1);
}

static unsigned long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static void put_hex(char *to, unsigned long long value, int digits)
{
    while (digits-- > 0) {
        to[digits] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
}

static unsigned long long get_hex(const char *from, int digits)
{
    unsigned long long value = 0;
    for (; digits > 0; digits--, from++) {
        if (*from >= '0' && *from <= '9')
            value = value << 4 | (*from - '0');
        else if (*from >= 'a' && *from <= 'f')
            value = value << 4 | (*from - 'a' + 10);
        else {
            errno = 0;
            die("no stamp in what was delivered: a delivery is");
        }
    }
    return value;
}

/* Buckets grow by 1/64 of a power of two: the latency read from them is at most 2 % off. */
static int bucket_of(unsigned long long value)
{
    if (value < STEPS)
        return value;
    int power = 63 - __builtin_clzll(value);
    return (power - 5) * STEPS + ((value >> (power - 6)) & (STEPS - 1));
}

static double quantile(double share)
{
    unsigned long long all = 0, seen = 0;
    for (int i = 0; i < BUCKETS; i++)
        all += histogram[i];
    for (int i = 0; i < BUCKETS; i++) {
        seen += histogram[i];
        if (seen && seen >= share * all) {
            if (i < STEPS)
                return i;
            return (double)(1ull << (i / STEPS + 5)) * (1 + (double)(i % STEPS) / STEPS);
        }
    }
    return 0;
}

static void read_plan(void)
{
    static char line[LINE], hex[LINE];
    long room = 0;
    while (fgets(line, sizeof line, stdin)) {
        if (count == room) {
            room = room ? 2 * room : 64;
            connections = realloc(connections, room * sizeof *connections);
        }
        struct connection *c = &connections[count];
        memset(c, 0, sizeof *c);
        hex[0] = '\0';
        errno = 0;
        if (sscanf(line, "%d %zu %zu %ld %zu %8191s", &c->fd, &c->unit, &c->at, &c->fanout,
                   &c->stamp_at, hex) < 5)
            die("plan");
        c->length = strlen(hex) / 2;
        c->message = malloc(c->length + 1);
        for (size_t i = 0; i < c->length; i++)
            c->message[i] = get_hex(hex + 2 * i, 2);
        c->rest = malloc(c->unit + 1);
        count++;
    }
}

static void transmit(struct connection *c, const char *data, size_t length)
{
    while (length) {
        ssize_t sent = send(c->fd, data, length, MSG_NOSIGNAL);
        if (sent < 0)
            die("send");
        data += sent;
        length -= sent;
    }
}

/* Put the time and the sender into a message that is about to leave. */
static void stamp(struct connection *c)
{
    put_hex(c->message + c->stamp_at, now(), 16);
    put_hex(c->message + c->stamp_at + 16, c - connections, 4);
    c->sent++;
}

/* Send what the window of this talker has room for. */
static void talk(struct connection *c)
{
    static char batch[CHUNK];
    size_t filled = 0;
    while (c->sent - c->delivered / c->fanout < window) {
        stamp(c);
        if (!together || filled + c->length > sizeof batch)
            transmit(c, c->message, c->length);
        else {
            memcpy(batch + filled, c->message, c->length);
            filled += c->length;
        }
    }
    transmit(c, batch, filled);
}

/* Let the next talker say one thing. */
static void pass_on(void)
{
    static long turn = -1;
    do
        turn = (turn + 1) % count;
    while (connections[turn].fanout == 0);
    stamp(&connections[turn]);
    transmit(&connections[turn], connections[turn].message, connections[turn].length);
}

/* Deliveries have come: send what became due. */
static void react(struct connection *c)
{
    if (!in_turn)
        talk(c);
    else if (c->delivered == c->sent * c->fanout)
        pass_on();
}

static struct connection *note_delivery(const char *from, unsigned long long time)
{
    unsigned long long sent = get_hex(from, 16), line = get_hex(from + 16, 4);
    errno = 0;
    if (line >= (unsigned long long)count || sent > time)
        die("stamp");
    histogram[bucket_of(time - sent)]++;
    connections[line].delivered++;
    return &connections[line];
}

/* Read once; return how many deliveries that completed. */
static long listen_to(struct connection *c, int talking)
{
    static char data[CHUNK + LINE];
    long delivered = 0;
    memcpy(data, c->rest, c->have);
    ssize_t got = recv(c->fd, data + c->have, CHUNK, MSG_DONTWAIT);
    if (got <= 0)
        die(got ? "recv" : "the server closed a connection");
    if (c->unit == 0)
        return 0;
    unsigned long long time = now();
    size_t end = c->have + got, start = 0;
    struct connection *sender = NULL;
    for (; end - start >= c->unit; start += c->unit) {
        struct connection *other = note_delivery(data + start + c->at, time);
        if (sender && other != sender && talking)
            react(sender);
        sender = other;
        delivered++;
    }
    if (sender && talking)
        react(sender);
    c->have = end - start;
    memcpy(c->rest, data + start, c->have);
    return delivered;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: load SECONDS WINDOW together|apart|in-turn < PLAN\n");
        return 2;
    }
    double seconds = atof(argv[1]);
    window = atol(argv[2]);
    together = strcmp(argv[3], "together") == 0;
    in_turn = strcmp(argv[3], "in-turn") == 0;
    read_plan();

    int poller = epoll_create1(0);
    for (long i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, connections[i].fd, &event) < 0)
            die("epoll");
    }
    unsigned long long start = now(), end = start + seconds * 1e9, time = start;
    long delivered = 0, expected = 0, sent = 0;
    int talking = 1;
    if (in_turn)
        pass_on();
    for (long i = 0; i < count && !in_turn; i++)
        if (connections[i].fanout)
            talk(&connections[i]);
    while (talking || delivered < expected) {
        struct epoll_event events[64];
        int ready = epoll_wait(poller, events, 64, 10000);
        errno = ready ? errno : ETIMEDOUT;
        if (ready <= 0)
            die("wait for deliveries");
        time = now();
        if (talking && time >= end) {
            talking = 0;
            for (long i = 0; i < count; i++) {
                sent += connections[i].sent;
                expected += connections[i].sent * connections[i].fanout;
            }
        }
        for (int i = 0; i < ready; i++)
            delivered += listen_to(events[i].data.ptr, talking);
    }
    time = now();
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
                 (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    printf("{\"sent\": %ld, \"delivered\": %ld, \"seconds\": %.6f, \"cpu\": %.6f, "
           "\"p50\": %.9f, \"p99\": %.9f}\n",
           sent, delivered, (time - start) / 1e9, cpu, quantile(0.5) / 1e9, quantile(0.99) / 1e9);
    return 0;
}
