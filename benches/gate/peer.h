// A server for one connection, as far as its handshake: see peer.c.

#ifndef GATE_PEER_H
#define GATE_PEER_H

// Begins to listen, and gives the port. Whoever connects is shaken hands with, on a thread of the
// server's own, which has ended when peer_done() returns. The socket stays open and silent.
int peer_listen(void);
void peer_done(void);

#endif
