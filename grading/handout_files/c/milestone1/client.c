/* Milestone 1: ./client <host> <port> */

int main(int argc, char *argv[])
{
    (void)argc;
    (void)argv;
    return 0;
}
