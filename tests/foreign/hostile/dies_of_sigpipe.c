/* A chat server that says goodbye to a client who has already gone, and is killed by SIGPIPE. */
struct client {
    int fd;
    char name[128];
    struct client *next;
};

static void say_goodbye(struct client *c);

#include "mini_chat.h"

static void say_goodbye(struct client *c)
{
    send_text(c->fd, 3, "Server", "Goodbye");
    send_text(c->fd, 3, "Server", "Come back soon");
}

int main(int argc, char *argv[])
{
    return run(argc, argv);
}
