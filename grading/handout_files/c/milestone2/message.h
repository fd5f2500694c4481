/* What goes over the wire: this header, then pld_len bytes of payload (docs/protocol.md). */

#ifndef MESSAGE_H
#define MESSAGE_H

#define NICK_LEN 128
#define INFOS_LEN 128

enum msg_type {
    NICKNAME_NEW,
    NICKNAME_LIST,
    NICKNAME_INFOS,
    ECHO_SEND,
    UNICAST_SEND,
    BROADCAST_SEND,
    MULTICAST_CREATE,
    MULTICAST_LIST,
    MULTICAST_JOIN,
    MULTICAST_SEND,
    MULTICAST_QUIT,
    FILE_REQUEST,
    FILE_ACCEPT,
    FILE_REJECT,
    FILE_SEND,
    FILE_ACK
};

struct message {
    int pld_len;                /* bytes of payload behind this header */
    char nick_sender[NICK_LEN]; /* who sends it, up to the first NUL */
    enum msg_type type;
    char infos[INFOS_LEN];      /* what the type needs: a name, a room, ... */
};

_Static_assert(sizeof(struct message) == 264, "the header has 264 bytes on every machine");

#endif
