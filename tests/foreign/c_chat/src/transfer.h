/* Les fichiers, de client à client (jalon 4). Rien ici ne bloque : transfers_run() essaie tout. */
#ifndef TRANSFER_H
#define TRANSFER_H

#include <poll.h>
#include <stddef.h>

#include "conn.h"

#define MAX_TRANSFERS 32
#define MAX_TRANSFER_FDS (MAX_TRANSFERS * 6)

/* Ce que dit le clavier */
void transfer_offer(struct conn *server, const char *me, const char *to, char *path);
int transfer_question(void); /* une demande attend-elle un oui ou un non ? */
void transfer_ask_again(void);
void transfer_answer(struct conn *server, const char *me, int yes);

/* Ce que dit le serveur */
void transfer_requested(struct conn *server, const char *me, const char *from, const char *file,
                        size_t len);
void transfer_accepted(const char *me, const char *by, const char *where, size_t len);
void transfer_rejected(const char *by);
void transfer_cancel(const char *peer);
void transfer_rename(const char *before, const char *after);

/* Ce que disent les sockets */
size_t transfers_fill(struct pollfd *fds);
int transfers_run(void); /* rend le nombre de lignes affichées */
void transfers_end(void);

#endif
