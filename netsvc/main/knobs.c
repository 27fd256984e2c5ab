/* SPDX-License-Identifier: BSD-3-Clause */
/* Answers in the worker's thread, between two turns: so a knob never changes under a running engine's feet. */
#include "main/knobs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "main/local.h"
#include "main/worker.h"
#include "sysctl/sysctl.h"
#include "udp/udp.h"

enum { CLIENTS = 8, LISTENER = CLIENTS, REQUEST_BYTES = 256 };

struct jr_knobs {
    struct jr_worker *w;
    struct jr_local at;
    int clients[CLIENTS]; /* -1: free */
    unsigned next;        /* where the next one goes */
};

static struct jr_sysctl_tree tree_of(struct jr_worker *w)
{
    return (struct jr_sysctl_tree){.at = {[JR_SYSCTL_OF_TCP] = jr_tcp_config(w->tcp),
                                          [JR_SYSCTL_OF_IP] = jr_ip_config(w->ip),
                                          [JR_SYSCTL_OF_UDP] = jr_udp_config(w->udp),
                                          [JR_SYSCTL_OF_LINK] = &w->link}};
}

static void put_error(FILE *f, const char *name, const char *why)
{
    fputs("{\"error\":", f);
    char text[REQUEST_BYTES + JR_SYSCTL_WHY_BYTES];
    snprintf(text, sizeof text, "%.128s: %s", name, why);
    jr_json_string(f, text);
    fputc('}', f);
}

static void put_knob(FILE *f, const struct jr_sysctl_tree *tree, const struct jr_sysctl *s)
{
    char value[JR_SYSCTL_WORD_BYTES];
    jr_sysctl_get(tree, s, value);
    fprintf(f,
            "{\"name\":\"%s\",\"value\":\"%s\",\"default\":\"%s\",\"unit\":\"%s\",\"settable\":%s,\"help\":", s->name,
            value, s->def, s->unit, s->boot ? "false" : "true");
    jr_json_string(f, s->help);
    fputc('}', f);
}

static void put_all(FILE *f, const struct jr_sysctl_tree *tree)
{
    for (unsigned i = 0; i < jr_sysctl_count; i++) {
        fputc(i ? ',' : '[', f);
        put_knob(f, tree, &jr_sysctls[i]);
    }
    fputc(']', f);
}

static bool may_set(int fd)
{
    struct ucred who;
    socklen_t len = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && (who.uid == 0 || who.uid == geteuid());
}

static void set(FILE *f, struct jr_worker *w, const struct jr_sysctl *s, const char *value, int fd)
{
    const struct jr_sysctl_tree all = tree_of(w), *tree = &all;
    char why[JR_SYSCTL_WHY_BYTES] = "only root may set it", before[JR_SYSCTL_WORD_BYTES];
    jr_sysctl_get(tree, s, before);
    if (!may_set(fd) || jr_sysctl_set_live(tree, s, value, why)) {
        put_error(f, s->name, why);
        return;
    }
    jr_tcp_config_changed(w->tcp);
    jr_log(JR_LOG_INFO, "sysctl %s: %s -> %s", s->name, before, value);
    fprintf(f, "{\"before\":\"%s\",\"now\":", before);
    put_knob(f, tree, s);
    fputc('}', f);
}

static void answer(FILE *f, struct jr_worker *w, char *request, int fd)
{
    const struct jr_sysctl_tree tree = tree_of(w);
    char *value = strchr(request, '=');
    if (value)
        *value++ = 0;
    const struct jr_sysctl *s = jr_sysctl_find(request);
    if (!*request && !value)
        put_all(f, &tree);
    else if (!s)
        put_error(f, request, "unknown sysctl");
    else if (value)
        set(f, w, s, value, fd);
    else
        put_knob(f, &tree, s);
}

static void serve(struct jr_knobs *k, int fd)
{
    char request[REQUEST_BYTES + 1], *text = NULL;
    size_t len = 0;
    ssize_t n = recv(fd, request, REQUEST_BYTES, MSG_DONTWAIT);
    FILE *f = n < 0 ? NULL : open_memstream(&text, &len);
    if (!f)
        return;
    request[n] = 0;
    answer(f, k->w, request, fd);
    fputc('\n', f);
    if (fclose(f) == 0)
        send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL); /* a client that does not read gets no answer */
    free(text);
}

static void drop(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* A client that asks nothing gives way to those that come later. */
static void welcome(struct jr_knobs *k)
{
    unsigned i = k->next;
    int fd = accept4(k->at.listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP, .data.u32 = i};
    if (fd < 0)
        return;
    drop(&k->clients[i]);
    k->clients[i] = fd;
    k->next = (i + 1) % CLIENTS;
    if (epoll_ctl(k->at.epoll_fd, EPOLL_CTL_ADD, fd, &ev))
        drop(&k->clients[i]);
}

void jr_knobs_service(struct jr_knobs *k)
{
    struct epoll_event ev[CLIENTS + 1];
    int n = epoll_wait(k->at.epoll_fd, ev, CLIENTS + 1, 0);
    for (int i = 0; i < n; i++) {
        uint32_t id = ev[i].data.u32;
        if (id == LISTENER) {
            welcome(k);
        } else if (k->clients[id] >= 0) {
            if (ev[i].events & EPOLLIN)
                serve(k, k->clients[id]);
            drop(&k->clients[id]);
        }
    }
}

int jr_knobs_epoll_fd(const struct jr_knobs *k) { return k->at.epoll_fd; }

struct jr_knobs *jr_knobs_new(struct jr_worker *w)
{
    struct jr_knobs *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    k->w = w;
    memset(k->clients, -1, sizeof k->clients);
    int rc = jr_local_listen(&k->at, w->cfg->run_dir, "sysctl.sock", SOCK_SEQPACKET, LISTENER);
    if (!rc)
        return k;
    free(k);
    errno = -rc;
    return NULL;
}

void jr_knobs_free(struct jr_knobs *k)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        drop(&k->clients[i]);
    jr_local_close(&k->at);
    free(k);
}
