/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker may be killed at any instruction; then its BPF programs would go on stealing packets, and its sockets
 * and handles would lie around. The parent does next to nothing, so it lives to take them away, gives huge pages back,
 * and passes signals on.
 */
#include "main/supervisor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dev/eal.h"
#include "main/worker.h"

struct supervisor {
    const struct jr_config *cfg;
    struct jr_hugepages huge;
    bool has_huge;
    int lock_fd, signal_fd, worker_fd; /* worker_fd: the worker's word that it is ready */
    int ready_fd;
    pid_t worker;
};

/* Makes run_dir and takes its lock: two services in one folder would take each other's sockets away. */
static int take_run_dir(struct supervisor *s)
{
    char path[96];
    const char *dir = s->cfg->run_dir;
    if (mkdir(dir, 0755) && errno != EEXIST) {
        jr_log(JR_LOG_ERROR, "%s: %s", dir, strerror(errno));
        return -errno;
    }
    snprintf(path, sizeof path, "%s/netsvc.lock", dir);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd >= 0 && flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (s->lock_fd >= 0 && errno == EWOULDBLOCK)
        jr_log(JR_LOG_ERROR, "%s: another service runs with this run_dir", dir);
    else
        jr_log(JR_LOG_ERROR, "%s: %s", path, strerror(errno));
    return -errno;
}

/* Removes sockets and FIFOs, and folders that hold nothing else; other files aren't ours. */
static void sweep(int dir_fd, unsigned depth)
{
    DIR *dir = fdopendir(dir_fd);
    if (!dir) {
        close(dir_fd);
        return;
    }
    for (struct dirent *e; (e = readdir(dir));) {
        struct stat st;
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
            fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW))
            continue;
        if (S_ISSOCK(st.st_mode) || S_ISFIFO(st.st_mode)) {
            unlinkat(dirfd(dir), e->d_name, 0);
        } else if (S_ISDIR(st.st_mode) && depth) {
            int sub = openat(dirfd(dir), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (sub >= 0)
                sweep(sub, depth - 1);
            unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR);
        }
    }
    closedir(dir);
}

static void clean_up(const struct supervisor *s)
{
    for (unsigned i = 0; i < s->cfg->n_ports; i++) {
        const struct jr_port_config *p = &s->cfg->ports[i].dev;
        if (p->kind == JR_PORT_AF_XDP || p->kind == JR_PORT_AF_PACKET)
            jr_steer_clean(p->interface);
        if (p->kind == JR_PORT_MEMIF && p->server)
            unlink(p->socket);
    }
    int dir = open(s->cfg->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0)
        sweep(dir, 1);
}

static void take_hugepages(struct supervisor *s)
{
    struct jr_port_config ports[JR_CONFIG_PORTS];
    for (unsigned i = 0; i < s->cfg->n_ports; i++)
        ports[i] = s->cfg->ports[i].dev;
    struct jr_eal_config eal = {.ports = ports, .n_ports = s->cfg->n_ports};
    unsigned need = jr_eal_memory_mb(&eal);
    s->has_huge = jr_hugepages_take(&s->huge, need, s->cfg->hugepages_mb);
    if (!s->has_huge && s->cfg->hugepages_mb)
        jr_log(JR_LOG_WARN, "%u MB of huge pages are not to be had: ordinary pages are slower", need);
}

static void watched_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGCHLD);
}

/* The child. The signals stay blocked: it reads them from a descriptor of its own. */
static void run_worker(struct supervisor *s, int ready_fd, pid_t parent)
{
    /* its own group: a ^C is the supervisor's to pass on, once */
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    signal(SIGPIPE, SIG_IGN);
    close(s->signal_fd);
    close(s->lock_fd);
    close(s->worker_fd);
    if (s->ready_fd >= 0)
        close(s->ready_fd);
    if (setpriority(PRIO_PROCESS, 0,
                    s->cfg->nice)) /* a container may not; it is only slower when others want its cores */
        jr_log(JR_LOG_DEBUG, "nice %d: %s", s->cfg->nice, strerror(errno));
    int code = jr_worker_run(s->cfg, s->has_huge, ready_fd);
    if (getppid() != parent) { /* the supervisor was killed: its duties are ours */
        clean_up(s);
        jr_hugepages_give_back(&s->huge);
    }
    exit(code);
}

static int fork_worker(struct supervisor *s)
{
    int fds[2];
    pid_t parent = getpid();
    if (pipe2(fds, O_CLOEXEC))
        return -errno;
    s->worker_fd = fds[0];
    s->worker = fork();
    if (s->worker < 0)
        return -errno;
    if (s->worker == 0)
        run_worker(s, fds[1], parent);
    close(fds[1]);
    return 0;
}

static void tell_ready(struct supervisor *s)
{
    jr_notify("READY=1");
    if (s->ready_fd < 0)
        return;
    if (write(s->ready_fd, "R", 1) != 1)
        jr_log(JR_LOG_WARN, "--ready-fd: %s", strerror(errno));
    close(s->ready_fd);
    s->ready_fd = -1;
}

static void on_worker_fd(struct supervisor *s)
{
    char byte;
    if (read(s->worker_fd, &byte, 1) == 1)
        tell_ready(s);
    close(s->worker_fd);
    s->worker_fd = -1;
}

static void pass_signals_on(struct supervisor *s)
{
    struct signalfd_siginfo si;
    while (read(s->signal_fd, &si, sizeof si) == sizeof si) {
        if (si.ssi_signo == SIGCHLD)
            continue;
        if (si.ssi_signo != SIGHUP)
            jr_notify("STOPPING=1");
        kill(s->worker, (int)si.ssi_signo);
    }
}

/* Until the worker has ended; its wait status. */
static int wait_for_worker(struct supervisor *s)
{
    for (;;) {
        int status;
        struct pollfd p[2] = {{.fd = s->signal_fd, .events = POLLIN}, {.fd = s->worker_fd, .events = POLLIN}};
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return -1;
        if (p[1].revents)
            on_worker_fd(s);
        pass_signals_on(s);
        if (waitpid(s->worker, &status, WNOHANG) == s->worker)
            return status;
    }
}

/* Another program may take the huge pages between our look and EAL's, or a limit keeps them from us; EAL starts once
 * in a process. */
static bool lacks_huge(struct supervisor *s, int status)
{
    if (!s->has_huge || !WIFEXITED(status) || WEXITSTATUS(status) != JR_WORKER_NO_HUGE)
        return false;
    jr_log(JR_LOG_WARN, "DPDK did not start with huge pages: going on with ordinary ones, which are slower");
    jr_hugepages_give_back(&s->huge);
    s->has_huge = false;
    if (s->worker_fd >= 0)
        close(s->worker_fd);
    s->worker_fd = -1;
    return true;
}

static int exit_code(int status)
{
    if (WIFSIGNALED(status)) {
        jr_log(JR_LOG_ERROR, "the worker was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
        return 128 + WTERMSIG(status);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

int jr_supervisor_run(const struct jr_config *cfg, int ready_fd)
{
    struct supervisor s = {.cfg = cfg, .lock_fd = -1, .worker_fd = -1, .ready_fd = ready_fd};
    sigset_t set;
    int code = EXIT_FAILURE;
    watched_signals(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    s.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s.signal_fd < 0 || take_run_dir(&s))
        return EXIT_FAILURE;
    clean_up(&s); /* of a service that was killed with its supervisor */
    take_hugepages(&s);
    int rc = fork_worker(&s), status = rc ? 0 : wait_for_worker(&s);
    if (!rc && lacks_huge(&s, status)) {
        rc = fork_worker(&s);
        status = rc ? 0 : wait_for_worker(&s);
    }
    if (rc)
        jr_log(JR_LOG_ERROR, "no worker: %s", strerror(-rc));
    else
        code = exit_code(status);
    clean_up(&s);
    jr_hugepages_give_back(&s.huge);
    return code;
}
