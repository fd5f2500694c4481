/* Milestone 1: ./server <port> */

int main(int argc, char *argv[])
{
    (void)argc;
    (void)argv;
    return 0;
}
