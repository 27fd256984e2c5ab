/* SPDX-License-Identifier: BSD-3-Clause */
/* The fake service's thread: its loop, its start and its end, and what a test asks of it. */
#include "fake_int.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

struct fake fake;

enum { JOB_NONE, JOB_MOVE, JOB_RESET, JOB_SETTLE };

struct jr_abi_policy *fake_policy(void) { return fake.policy; }
void fake_hold(bool on) { atomic_store(&fake.hold, on); }
unsigned fake_closes(void) { return atomic_load(&fake.closes); }
unsigned fake_handles(void) { return atomic_load(&fake.handles); }
unsigned fake_attached(void) { return atomic_load(&fake.attached); }
unsigned fake_bells(void) { return atomic_load(&fake.bells); }

static bool scan(void)
{
    bool did = false;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    for (unsigned i = 0; i < fake.nsegs; i++) {
        struct seg *s = &fake.seg[i];
        did |= fake_run_cells(s);
        for (unsigned w = 0; w < 4; w++)
            for (uint64_t d = __atomic_exchange_n(&app(s)->dirty[w], 0, __ATOMIC_SEQ_CST); d; d &= d - 1) {
                struct sock *so = sock_at(s, w * 64 + (unsigned)__builtin_ctzll(d));
                did = true;
                if (so->pair >= 0 && so->peer) {
                    fake_post_watchers(so->peer);
                }
            }
    }
    if (atomic_load(&fake.hold))
        return did;
    for (unsigned i = 0; i < fake.nsegs * JR_SEG_SLOTS; i++) {
        struct sock *so = &fake.sock[i];
        if (!so->handle_open)
            continue;
        if (so->connecting && (now.tv_sec > so->ready_at.tv_sec ||
                               (now.tv_sec == so->ready_at.tv_sec && now.tv_nsec >= so->ready_at.tv_nsec))) {
            fake_connect_now(so);
            did = true;
        }
        if (so->peer)
            did |= fake_move_bytes(so, so->peer);
        else if (slot_of(so)->type == SOCK_DGRAM)
            did |= fake_move_dgrams(so);
    }
    return did;
}

/* IDLE: since before the job came, a whole pass found nothing to do. */
static void run_job(bool idle)
{
    const unsigned job = atomic_load(&fake.job);
    const uint16_t port = (uint16_t)atomic_load(&fake.job_port);

    if (job == JOB_NONE || (job == JOB_SETTLE && !idle))
        return;
    if (job == JOB_MOVE)
        atomic_store(&fake.job_result, fake_move_sock(port));
    if (job == JOB_RESET && fake_by_port(port))
        fake_fail(fake_by_port(port), ECONNRESET);
    atomic_store(&fake.job, JOB_NONE);
}

static unsigned do_job(unsigned job, uint16_t port)
{
    atomic_store(&fake.job_port, port);
    atomic_store(&fake.job, job);
    while (atomic_load(&fake.job) != JOB_NONE)
        usleep(100);
    return atomic_load(&fake.job_result);
}

bool fake_move(uint16_t port) { return do_job(JOB_MOVE, port); }
void fake_move_at_next_queue(uint16_t port) { atomic_store(&fake.move_at_queue, port); }
bool fake_moves_at_queue(void) { return atomic_load(&fake.move_at_queue) != 0; }
void fake_reset(uint16_t port) { do_job(JOB_RESET, port); }
void fake_settle(void) { do_job(JOB_SETTLE, 0); }

static void sleep_a_while(void)
{
    struct pollfd p[3 + CLIENTS] = {
        {.fd = fake.lfd, .events = POLLIN}, {.fd = fake.bell, .events = POLLIN}, {.fd = fake.in, .events = POLLIN}};
    for (unsigned i = 0; i < fake.nclients; i++)
        p[3 + i] = (struct pollfd){.fd = fake.client[i], .events = POLLIN};
    __atomic_fetch_add(&fake.policy->sleep_epoch, 1, __ATOMIC_SEQ_CST); /* odd */
    if (!scan() && atomic_load(&fake.job) == JOB_NONE)
        poll(p, 3 + fake.nclients, 1);
    __atomic_fetch_add(&fake.policy->sleep_epoch, 1, __ATOMIC_SEQ_CST);
    uint64_t n;
    if (read(fake.bell, &n, sizeof n) == sizeof n)
        atomic_fetch_add(&fake.bells, (unsigned)n);
}

static void accept_clients(void)
{
    int fd = accept4(fake.lfd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0 && fake.nclients < CLIENTS) {
        fake.client[fake.nclients++] = fd;
        atomic_fetch_add(&fake.attached, 1);
    }
    for (unsigned i = 0; i < fake.nclients; i++)
        if (!fake_on_request(fake.client[i])) {
            close(fake.client[i]);
            fake.client[i--] = fake.client[--fake.nclients];
        }
}

/* ---- start and end ---- */

static void make_policy(void)
{
    fake.policy_fd = memfd_create("policy", MFD_CLOEXEC);
    if (ftruncate(fake.policy_fd, JR_POLICY_SIZE) < 0)
        die("ftruncate");
    fake.policy = mmap(NULL, JR_POLICY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fake.policy_fd, 0);
    fake.policy->magic = JR_ABI_MAGIC;
    fake.policy->spin_us = fake.cfg.spin_us;
    fake.policy->nroutes = 1;
    fake.policy->routes[0] = (struct jr_abi_policy_route){
        .prefix = {[10] = 0xff, [11] = 0xff, [12] = 198, [13] = 18}, .plen = 111, .route = JR_ROUTE_SERVICE};
}

static void open_all(void)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    char path[128];

    snprintf(path, sizeof path, "%s/h", fake.dir);
    mkdir(path, 0700);
    fake.in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    inotify_add_watch(fake.in, path, IN_CLOSE_WRITE);
    fake.bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    make_policy();
    snprintf(sun.sun_path, sizeof sun.sun_path, "%s/sock", fake.dir);
    fake.lfd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bind(fake.lfd, (struct sockaddr *)&sun, sizeof sun) < 0 || listen(fake.lfd, 64) < 0)
        die("listen");
}

static void close_all(void)
{
    const int own[] = {fake.lfd, fake.in, fake.bell, fake.policy_fd};

    for (unsigned i = 0; i < sizeof own / sizeof *own; i++)
        close(own[i]);
    for (unsigned i = 0; i < fake.nclients; i++)
        close(fake.client[i]);
}

static void *loop(void *arg)
{
    (void)arg;
    /* A table of descriptors of its own, as another process has: the program's numbers are the program's. */
    if (unshare(CLONE_FILES) < 0)
        die("unshare");
    open_all();
    sem_post(&fake.ready);
    while (!atomic_load(&fake.stop)) {
        const bool asked = atomic_load(&fake.job) == JOB_SETTLE;
        accept_clients();
        bool did = scan();
        did |= fake_read_closes();
        run_job(asked && !did);
        if (!did)
            sleep_a_while();
    }
    close_all();
    return NULL;
}

void fake_start(const struct fake_config *cfg)
{
    sigset_t all, old;
    char path[128];

    memset(&fake, 0, sizeof fake);
    fake.cfg = *cfg;
    fake.cfg.ring = cfg->ring ? cfg->ring : 16384;
    fake.cfg.grant = cfg->grant ? cfg->grant : fake.cfg.ring;
    fake.cfg.listen_route = cfg->listen_route ? cfg->listen_route : JR_ROUTE_SERVICE;
    fake.sock = calloc(MAX_SOCK, sizeof *fake.sock);
    strcpy(fake.dir, "/tmp/jr-client-XXXXXX");
    if (!mkdtemp(fake.dir))
        die("mkdtemp");
    snprintf(path, sizeof path, "%s/sock", fake.dir);
    setenv("JOYRIDE_SOCKET", path, 1);
    sem_init(&fake.ready, 0, 0);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pthread_create(&fake.thread, NULL, loop, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    while (sem_wait(&fake.ready) < 0)
        ;
}

void fake_die(void)
{
    char cmd[128];

    atomic_store(&fake.stop, true);
    pthread_join(fake.thread, NULL);
    for (unsigned i = 0; i < fake.nsegs; i++) {
        uint32_t w = __atomic_load_n(&hdr(&fake.seg[i])->owner, __ATOMIC_RELAXED);
        __atomic_store_n(&hdr(&fake.seg[i])->owner, (w & FUTEX_WAITERS) | FUTEX_OWNER_DIED, __ATOMIC_RELEASE);
        /* The kernel wakes one. */
        syscall(SYS_futex, &hdr(&fake.seg[i])->owner, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
    snprintf(cmd, sizeof cmd, "rm -rf %s", fake.dir);
    if (system(cmd) != 0)
        perror(cmd);
}

void fake_stop(void) { fake_die(); }
