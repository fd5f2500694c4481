/* A chat server that copies a name without looking at its length: one of 100 characters or more
 * runs into the pointer behind it, and the server is killed by SIGSEGV. */
struct client {
    int fd;
    char name[92];
    struct client *next;
    char rest[64]; /* what a long name may overwrite without touching the heap's own records */
};

static void say_goodbye(struct client *c);

#include "mini_chat.h"

#include <signal.h>

static void say_goodbye(struct client *c)
{
    (void)c;
}

int main(int argc, char *argv[])
{
    signal(SIGPIPE, SIG_IGN);
    return run(argc, argv);
}
