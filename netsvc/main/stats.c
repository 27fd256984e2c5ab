/* SPDX-License-Identifier: BSD-3-Clause */
/* Built in the worker's thread at the moment of asking; a slow reader gets its document in pieces and holds nobody up.
 */
#include "main/stats.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "main/local.h"
#include "main/worker.h"

enum { CLIENTS = 8, LISTENER = CLIENTS };

struct client {
    int fd; /* -1: free */
    char *text;
    size_t len, sent;
};

struct jr_stats {
    struct jr_worker *w;
    struct jr_local at;
    struct client clients[CLIENTS];
};

static void put_counters(FILE *f, const struct jr_counters *c)
{
    fputs("{\"counters\":{", f);
    for (int i = 0; i < JR_C__COUNT; i++)
        fprintf(f, "%s\"%s\":%llu", i ? "," : "", jr_counter_info[i].name, (unsigned long long)jr_counter_get(c, i));
    fputs("}", f);
}

static void put_port(FILE *f, const struct jr_worker_port *p)
{
    const struct jr_dev *d = p->port.dev;
    const uint8_t *m = p->ifp->mac.b;
    fputs("{\"name\":", f);
    jr_json_string(f, d->name);
    fprintf(f, ",\"kind\":\"%s\",\"interface\":", jr_port_kind_name(p->cfg->dev.kind));
    jr_json_string(f, p->cfg->dev.interface);
    fprintf(f,
            ",\"up\":%s,\"shared\":%s,\"mtu\":%u,\"mac\":\"%02x:%02x:%02x:%02x:%02x:%02x\",\"rx_pkts\":%llu,"
            "\"rx_bytes\":%llu,\"tx_pkts\":%llu,\"tx_bytes\":%llu,\"tx_dropped\":%llu,\"buffers_in_use\":%u}",
            p->ifp->up ? "true" : "false", p->cfg->dev.share ? "true" : "false", p->ifp->mtu, m[0], m[1], m[2], m[3],
            m[4], m[5], (unsigned long long)d->rx_pkts, (unsigned long long)d->rx_bytes, (unsigned long long)d->tx_pkts,
            (unsigned long long)d->tx_bytes, (unsigned long long)d->tx_dropped, d->tx_pool->in_use);
}

static void put_sockets(FILE *f, struct jr_ctl *ctl)
{
    const jr_time now = jr_worker_now();
    size_t need = jr_ctl_dump(ctl, now, NULL, 0) + 1;
    char *buf = malloc(need);
    if (buf)
        jr_ctl_dump(ctl, now, buf, need);
    fputs(",\"sockets\":", f);
    fputs(buf ? buf : "[]", f);
    free(buf);
}

/* Malloc'ed; NULL: no memory. */
static char *document(struct jr_worker *w, size_t *len)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, len);
    if (!f)
        return NULL;
    put_counters(f, &w->counters);
    fputs(",\"ports\":[", f);
    for (unsigned i = 0; i < w->n_ports; i++) {
        if (i)
            fputc(',', f);
        put_port(f, &w->ports[i]);
    }
    fputc(']', f);
    put_sockets(f, w->ctl);
    fputs("}\n", f);
    if (fclose(f)) {
        free(text);
        return NULL;
    }
    return text;
}

static void drop_client(struct client *c)
{
    close(c->fd);
    free(c->text);
    *c = (struct client){.fd = -1};
}

static void feed(struct client *c)
{
    while (c->sent < c->len) {
        ssize_t n = send(c->fd, c->text + c->sent, c->len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            break;
        c->sent += (size_t)n;
    }
    drop_client(c);
}

static void welcome(struct jr_stats *st)
{
    int fd = accept4(st->at.listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    unsigned i = 0;
    while (i < CLIENTS && st->clients[i].fd >= 0)
        i++;
    if (i == CLIENTS) {
        jr_count(&st->w->counters, JR_C_MAIN_STATS_REFUSED);
        close(fd);
        return;
    }
    struct client *c = &st->clients[i];
    *c = (struct client){.fd = fd};
    c->text = document(st->w, &c->len);
    struct epoll_event ev = {.events = EPOLLOUT, .data.u32 = i};
    if (!c->text || epoll_ctl(st->at.epoll_fd, EPOLL_CTL_ADD, fd, &ev))
        drop_client(c);
    else
        feed(c);
}

void jr_stats_service(struct jr_stats *st)
{
    struct epoll_event ev[CLIENTS + 1];
    int n = epoll_wait(st->at.epoll_fd, ev, CLIENTS + 1, 0);
    for (int i = 0; i < n; i++) {
        if (ev[i].data.u32 == LISTENER)
            welcome(st);
        else if (st->clients[ev[i].data.u32].fd >= 0)
            feed(&st->clients[ev[i].data.u32]);
    }
}

int jr_stats_epoll_fd(const struct jr_stats *st) { return st->at.epoll_fd; }

struct jr_stats *jr_stats_new(struct jr_worker *w)
{
    struct jr_stats *st = calloc(1, sizeof *st);
    if (!st)
        return NULL;
    st->w = w;
    for (unsigned i = 0; i < CLIENTS; i++)
        st->clients[i].fd = -1;
    int rc = jr_local_listen(&st->at, w->cfg->run_dir, "stats.sock", SOCK_STREAM, LISTENER);
    if (rc) {
        free(st);
        errno = -rc;
        return NULL;
    }
    return st;
}

void jr_stats_free(struct jr_stats *st)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        if (st->clients[i].fd >= 0)
            drop_client(&st->clients[i]);
    jr_local_close(&st->at);
    free(st);
}
