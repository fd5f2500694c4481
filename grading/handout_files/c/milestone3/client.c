/* Milestone 3: ./client <host> <port> */

#include "message.h"

int main(int argc, char *argv[])
{
    (void)argc;
    (void)argv;
    return 0;
}
