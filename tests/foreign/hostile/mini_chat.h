/* The least that looks like a chat of milestone 2 (login, list, private message, echo), for
 * programs that show one fault. The one who includes it defines two things:
 *   struct client   with at least: int fd; char name[]; struct client *next;
 *   say_goodbye(c)  what happens when recv() says that c has gone. */
#ifndef MINI_CHAT_H
#define MINI_CHAT_H

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct message {
    int pld_len;
    char nick_sender[128];
    int type;
    char infos[128];
};

static struct client *clients;

static void send_text(int fd, int type, const char *from, const char *text)
{
    struct message m = {.pld_len = (int)strlen(text), .type = type};
    snprintf(m.nick_sender, sizeof m.nick_sender, "%s", from);
    send(fd, &m, sizeof m, 0);
    send(fd, text, strlen(text), 0);
}

static struct client *find(const char *name)
{
    struct client *c = clients;
    while (c != NULL && strcmp(c->name, name) != 0)
        c = c->next;
    return c;
}

static void handle(struct client *c, struct message *m, const char *text)
{
    char list[4000] = "Online:";
    struct client *to;
    if (m->type == 0) {
        if (find(m->infos) != NULL) {
            send_text(c->fd, 0, "Server", "This name is taken");
            return;
        }
        strcpy(c->name, m->infos);
        send_text(c->fd, 0, "Server", "Welcome");
    } else if (c->name[0] == '\0') {
        send_text(c->fd, 3, "Server", "Log in with /nick");
    } else if (m->type == 1) {
        for (to = clients; to != NULL; to = to->next) {
            strncat(list, "\n- ", sizeof list - strlen(list) - 1);
            strncat(list, to->name, sizeof list - strlen(list) - 1);
        }
        send_text(c->fd, 1, "Server", list);
    } else if (m->type == 4 && (to = find(m->infos)) != NULL) {
        send_text(to->fd, 4, c->name, text);
    } else {
        send_text(c->fd, 3, "Server", m->type == 3 ? text : "No");
    }
}

static void drop(struct client *c)
{
    struct client **link = &clients;
    while (*link != c)
        link = &(*link)->next;
    *link = c->next;
    close(c->fd);
    free(c);
}

static void read_client(struct client *c)
{
    struct message m;
    char text[5000] = "";
    if (recv(c->fd, &m, sizeof m, MSG_WAITALL) != sizeof m || m.pld_len < 0 ||
        m.pld_len >= (int)sizeof text ||
        (m.pld_len > 0 && recv(c->fd, text, m.pld_len, MSG_WAITALL) != m.pld_len)) {
        say_goodbye(c);
        drop(c);
        return;
    }
    m.infos[127] = '\0';
    handle(c, &m, text);
}

static int run(int argc, char *argv[])
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    if (argc != 2)
        return 1;
    alarm(900); /* so that nothing is left behind for long, whoever started it */
    addr.sin_port = htons(atoi(argv[1]));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(listener, 64) < 0) {
        perror("bind");
        return 1;
    }
    for (;;) {
        struct pollfd fds[256] = {{.fd = listener, .events = POLLIN}};
        struct client *of[256], *c;
        int n = 1;
        for (c = clients; c != NULL && n < 256; c = c->next, n++) {
            of[n] = c;
            fds[n] = (struct pollfd){.fd = c->fd, .events = POLLIN};
        }
        poll(fds, n, -1);
        for (int i = 1; i < n; i++)
            if (fds[i].revents != 0)
                read_client(of[i]);
        if (fds[0].revents != 0) {
            c = calloc(1, sizeof *c);
            c->fd = accept(listener, NULL, NULL);
            c->next = clients;
            clients = c;
            send_text(c->fd, 3, "Server", "Log in with /nick");
        }
    }
}

#endif
