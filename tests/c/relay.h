/* A relay between clients and a server, of the program's own: what goes to the server can be held back, so
 * that a client has no room to send; connections can be cut, and new ones turned away. */
#ifndef RELAY_H
#define RELAY_H

#include "check.h"

enum { RELAY_PAIRS = 64 };

struct relay {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t acceptor;
    char url[60];
    int listener, server_port;
    /* Guarded by the lock. What is held has come from the client and not yet gone to the server. */
    int held, away, over, taken, pumps;
    struct relay_pair {
        struct relay *relay;
        /* 0 is the client's, 1 the server's. */
        int sides[2], pumps;
    } pairs[RELAY_PAIRS];
};

struct relay_pump {
    struct relay_pair *pair;
    int from;
};

static void relay_cut_pair(struct relay_pair *pair)
{
    shutdown(pair->sides[0], SHUT_RDWR);
    shutdown(pair->sides[1], SHUT_RDWR);
}

/* Carries one direction of one connection. */
static void UNUSED *relay_pump(void *argument)
{
    struct relay_pump *pump = argument;
    struct relay_pair *pair = pump->pair;
    struct relay *relay = pair->relay;
    char bytes[65536];
    int from = pump->from, i;
    ssize_t n, sent, part;

    free(pump);
    while ((n = recv(pair->sides[from], bytes, sizeof bytes, 0)) > 0) {
        pthread_mutex_lock(&relay->lock);
        while (from == 0 && relay->held && !relay->over) pthread_cond_wait(&relay->changed, &relay->lock);
        pthread_mutex_unlock(&relay->lock);
        for (sent = 0; sent < n; sent += part) {
            part = send(pair->sides[1 - from], bytes + sent, (size_t)(n - sent), MSG_NOSIGNAL);
            if (part <= 0) break;
        }
        if (sent < n) break;
    }
    pthread_mutex_lock(&relay->lock);
    relay_cut_pair(pair);
    if (--pair->pumps == 0)
        for (i = 0; i < 2; i++) close(pair->sides[i]);
    relay->pumps--;
    pthread_cond_broadcast(&relay->changed);
    pthread_mutex_unlock(&relay->lock);
    return NULL;
}

static struct sockaddr_in UNUSED relay_address(int port)
{
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void UNUSED relay_take(struct relay *relay, int client)
{
    struct sockaddr_in address = relay_address(relay->server_port);
    struct relay_pair *pair;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), from;

    CHECK_INT(0, connect(server, (struct sockaddr *)&address, sizeof address));
    pthread_mutex_lock(&relay->lock);
    for (pair = relay->pairs; pair->pumps > 0; pair++) CHECK(pair < relay->pairs + RELAY_PAIRS - 1);
    pair->relay = relay;
    pair->sides[0] = client;
    pair->sides[1] = server;
    pair->pumps = 2;
    relay->pumps += 2;
    relay->taken++;
    pthread_cond_broadcast(&relay->changed);
    for (from = 0; from < 2; from++) {
        struct relay_pump *pump = malloc(sizeof *pump);
        pump->pair = pair;
        pump->from = from;
        CHECK_INT(0, pthread_detach(start(relay_pump, pump)));
    }
    pthread_mutex_unlock(&relay->lock);
}

static void UNUSED *relay_acceptor(void *argument)
{
    struct relay *relay = argument;
    for (;;) {
        int client = accept(relay->listener, NULL, NULL), away, over;
        pthread_mutex_lock(&relay->lock);
        away = relay->away;
        over = relay->over;
        pthread_mutex_unlock(&relay->lock);
        if (over || away) {
            if (client >= 0) close(client);
            if (over) return NULL;
        } else {
            CHECK(client >= 0);
            relay_take(relay, client);
        }
    }
}

/* `relay->url` is then for clients, in place of the server's. */
static void UNUSED relay_start(struct relay *relay, const char *server_url)
{
    struct sockaddr_in address = relay_address(0);
    socklen_t len = sizeof address;
    /* Small, so that a client that sends has no room soon after what it sends is held. */
    int size = 16384;

    memset(relay, 0, sizeof *relay);
    pthread_mutex_init(&relay->lock, NULL);
    pthread_cond_init(&relay->changed, NULL);
    relay->server_port = atoi(strrchr(server_url, ':') + 1);
    relay->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(0, setsockopt(relay->listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof size));
    CHECK_INT(0, bind(relay->listener, (struct sockaddr *)&address, sizeof address));
    CHECK_INT(0, listen(relay->listener, 64));
    CHECK_INT(0, getsockname(relay->listener, (struct sockaddr *)&address, &len));
    snprintf(relay->url, sizeof relay->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    relay->acceptor = start(relay_acceptor, relay);
}

static void UNUSED relay_set(struct relay *relay, int *what, int value)
{
    pthread_mutex_lock(&relay->lock);
    *what = value;
    pthread_cond_broadcast(&relay->changed);
    pthread_mutex_unlock(&relay->lock);
}

/* Holds back what clients send, or lets it go on. */
static void UNUSED relay_hold(struct relay *relay, int held)
{
    relay_set(relay, &relay->held, held);
}

/* Turns new connections away, or takes them again. */
static void UNUSED relay_away(struct relay *relay, int away)
{
    relay_set(relay, &relay->away, away);
}

/* Cuts all connections. */
static void UNUSED relay_cut(struct relay *relay)
{
    int i;
    pthread_mutex_lock(&relay->lock);
    for (i = 0; i < RELAY_PAIRS; i++)
        if (relay->pairs[i].pumps > 0) relay_cut_pair(&relay->pairs[i]);
    pthread_mutex_unlock(&relay->lock);
}

/* How many connections have been taken. */
static int UNUSED relay_taken(struct relay *relay)
{
    int taken;
    pthread_mutex_lock(&relay->lock);
    taken = relay->taken;
    pthread_mutex_unlock(&relay->lock);
    return taken;
}

static void UNUSED relay_end(struct relay *relay)
{
    relay_set(relay, &relay->over, 1);
    shutdown(relay->listener, SHUT_RDWR);
    finish(relay->acceptor);
    relay_cut(relay);
    pthread_mutex_lock(&relay->lock);
    while (relay->pumps > 0) pthread_cond_wait(&relay->changed, &relay->lock);
    pthread_mutex_unlock(&relay->lock);
    close(relay->listener);
}

#endif /* RELAY_H */
