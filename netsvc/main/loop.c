/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One turn: receive a burst from each port, let the engine answer, look at the programs' queues, run timers, wake
 * whoever waits, send: whoever is woken runs while the packets go out. Without work for a while (spin.h) the worker
 * sleeps in the kernel until a port, a program, the control plane or a timer wants it. Nothing in a turn blocks, and
 * what is rare is looked at now and then.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "main/knobs.h"
#include "main/netlink.h"
#include "main/stats.h"
#include "main/worker.h"

/* How often what is not packets is looked at: a program waits for it in a request for handles. */
enum { CONTROL_BUSY_US = 250, CONTROL_IDLE_US = 50, LOAD_US = 1000, EVENTS = 16 };

/* What an epoll event is about. */
enum source { SRC_SIGNAL, SRC_CTL, SRC_NETLINK, SRC_STATS, SRC_KNOBS, SRC_CONTROL, SRC_PORT };

jr_time jr_worker_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (jr_time)ts.tv_sec * JR_SEC + (jr_time)ts.tv_nsec / 1000;
}

static int watch(int epfd, int fd, enum source src)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = src};
    return epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

static int watch_ports(struct jr_worker *w)
{
    int fds[16];
    for (unsigned i = 0; i < w->n_ports; i++) {
        struct jr_dev *dev = w->ports[i].port.dev;
        unsigned n = dev->ops->wait_fds ? dev->ops->wait_fds(dev, fds, 16) : 0;
        for (unsigned j = 0; j < n; j++) {
            int rc = watch(w->sleep_fd, fds[j], SRC_PORT);
            if (rc)
                return rc;
        }
    }
    return 0;
}

int jr_loop_init(struct jr_worker *w)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    w->load_fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    w->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    w->control_fd = epoll_create1(EPOLL_CLOEXEC);
    w->sleep_fd = epoll_create1(EPOLL_CLOEXEC);
    if (w->signal_fd < 0 || w->control_fd < 0 || w->sleep_fd < 0)
        return -errno;
    int rc = watch(w->control_fd, w->signal_fd, SRC_SIGNAL);
    if (!rc)
        rc = watch(w->control_fd, jr_ctl_epoll_fd(w->ctl), SRC_CTL);
    if (!rc && w->netlink)
        rc = watch(w->control_fd, jr_netlink_fd(w->netlink), SRC_NETLINK);
    if (!rc && w->stats)
        rc = watch(w->control_fd, jr_stats_epoll_fd(w->stats), SRC_STATS);
    if (!rc && w->knobs)
        rc = watch(w->control_fd, jr_knobs_epoll_fd(w->knobs), SRC_KNOBS);
    if (!rc)
        rc = watch(w->sleep_fd, w->control_fd, SRC_CONTROL);
    return rc ? rc : watch_ports(w);
}

void jr_loop_fini(struct jr_worker *w)
{
    if (w->load_fd >= 0)
        close(w->load_fd);
    if (w->signal_fd >= 0)
        close(w->signal_fd);
    if (w->control_fd >= 0)
        close(w->control_fd);
    if (w->sleep_fd >= 0)
        close(w->sleep_fd);
}

/* SIGHUP: of the whole file only the log level may change while the service runs. */
static void reload(struct jr_worker *w)
{
    struct jr_config *fresh = jr_config_load(w->cfg->path);
    if (!fresh)
        return;
    jr_log_set_level(fresh->log_level);
    jr_log(JR_LOG_INFO, "read the log level from %s again", w->cfg->path);
    jr_config_free(fresh);
}

static void on_signal(struct jr_worker *w)
{
    struct signalfd_siginfo si;
    while (read(w->signal_fd, &si, sizeof si) == sizeof si) {
        if (si.ssi_signo == SIGHUP) {
            reload(w);
            continue;
        }
        jr_log(JR_LOG_INFO, "%s: stopping", si.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
        w->stop = true;
    }
}

/* The machine's threads that run or want to: the fourth field's first number. Costs some two microseconds. */
static void look_at_load(struct jr_worker *w)
{
    char text[64];
    ssize_t n = w->load_fd >= 0 ? pread(w->load_fd, text, sizeof text - 1, 0) : 0;
    unsigned runnable;
    text[n > 0 ? n : 0] = 0;
    if (sscanf(text, "%*s %*s %*s %u/", &runnable) == 1)
        jr_spin_on_load(&w->spin, runnable);
    jr_ctl_set_crowded(w->ctl, jr_spin_is_crowded(&w->spin));
}

static void look_at_control(struct jr_worker *w, jr_time now)
{
    struct epoll_event ev[EVENTS];
    int n = epoll_wait(w->control_fd, ev, EVENTS, 0);
    jr_count_n(&w->counters, JR_C_MAIN_LOOPS, w->turns);
    w->turns = 0;
    w->control_at = now;
    if (now - w->load_at >= LOAD_US) {
        w->load_at = now;
        look_at_load(w);
    }
    for (int i = 0; i < n; i++) {
        switch ((enum source)ev[i].data.u32) {
        case SRC_SIGNAL:
            on_signal(w);
            break;
        case SRC_CTL:
            jr_ctl_service_fds(w->ctl, now);
            break;
        case SRC_NETLINK:
            jr_netlink_service(w->netlink, now);
            break;
        case SRC_STATS:
            jr_stats_service(w->stats);
            break;
        case SRC_KNOBS:
            jr_knobs_service(w->knobs);
            break;
        case SRC_CONTROL:
        case SRC_PORT:
            break;
        }
    }
}

/* A burst from each port; returns the packets. */
static unsigned receive(struct jr_worker *w, jr_time now)
{
    struct jr_pkt *pkts[64];
    unsigned total = 0;
    for (unsigned i = 0; i < w->n_ports; i++) {
        struct jr_worker_port *p = &w->ports[i];
        unsigned n = p->port.dev->ops->rx_burst(p->port.dev, pkts, w->cfg->burst, now);
        jr_ip_input_burst(w->ip, p->ifp, pkts, n, now);
        total += n;
    }
    if (total)
        jr_tcp_flush(w->tcp, now);
    return total;
}

static jr_time earlier(jr_time a, jr_time b) { return a < b ? a : b; }

static unsigned run_timers(struct jr_worker *w, jr_time now)
{
    unsigned ran = 0;
    if (jr_tcp_next_tick(w->tcp) <= now) {
        jr_tcp_tick(w->tcp, now);
        ran++;
    }
    if (jr_ip_next_tick(w->ip) <= now) {
        jr_ip_tick(w->ip, now);
        ran++;
    }
    return ran;
}

/* Packets that the devices did not take yet. */
static unsigned unsent(const struct jr_worker *w)
{
    unsigned n = 0;
    for (unsigned i = 0; i < w->n_ports; i++)
        n += w->ports[i].ifp->n_txq;
    return n;
}

static unsigned turn(struct jr_worker *w, jr_time now)
{
    unsigned work = receive(w, now);
    unsigned done = jr_ctl_poll(w->ctl, now);
    if (done)
        jr_tcp_flush(w->tcp, now);
    work += done + run_timers(w, now);
    work += jr_ip_run_loop(w->ip, now);
    jr_ctl_flush_wakeups(w->ctl);
    jr_ip_flush(w->ip, now);
    w->turns++;
    return work + unsent(w);
}

static jr_time next_event(struct jr_worker *w)
{
    jr_time next = earlier(jr_tcp_next_tick(w->tcp), jr_ip_next_tick(w->ip));
    next = earlier(next, jr_ctl_next_event(w->ctl));
    for (unsigned i = 0; i < w->n_ports; i++) {
        struct jr_dev *dev = w->ports[i].port.dev;
        if (dev->ops->next_event)
            next = earlier(next, dev->ops->next_event(dev));
    }
    return next;
}

/* Until something happens or the next timer; control_at is left in the past when the control plane has news. */
static void sleep_until_work(struct jr_worker *w)
{
    struct epoll_event ev[EVENTS];
    int n = 0;
    jr_time now = jr_worker_now(), next = next_event(w);
    if (next <= now)
        return;
    if (jr_ctl_prepare_sleep(w->ctl)) {
        struct timespec ts = {.tv_sec = (time_t)((next - now) / JR_SEC),
                              .tv_nsec = (long)((next - now) % JR_SEC * 1000)};
        jr_count(&w->counters, JR_C_MAIN_SLEEPS);
        n = epoll_pwait2(w->sleep_fd, ev, EVENTS, next == JR_TIME_NEVER ? NULL : &ts, NULL);
    }
    jr_ctl_woke(w->ctl);
    for (int i = 0; i < n; i++)
        if (ev[i].data.u32 == SRC_CONTROL)
            w->control_at = 0;
}

void jr_loop_run(struct jr_worker *w)
{
    jr_spin_init(&w->spin, w->cfg->idle_us, (uint32_t)sysconf(_SC_NPROCESSORS_ONLN));
    for (;;) {
        jr_time now = jr_worker_now();
        if (now - w->control_at >= (w->spin.idle_at ? CONTROL_IDLE_US : CONTROL_BUSY_US))
            look_at_control(w, now);
        if (w->stop)
            return;
        jr_spin_on_turn(&w->spin, turn(w, now) != 0, now);
        if (jr_spin_is_over(&w->spin, now))
            sleep_until_work(w);
    }
}
