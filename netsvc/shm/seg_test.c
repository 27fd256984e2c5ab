/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments, the kernel's report of a dead service, sealed memory, wake-ups that nobody can block. */
#include "shm/seg.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test.h"
#include "shm/policy.h"
#include "shm/robust.h"
#include "shm/wake.h"

static const uint64_t key[2] = {0x1234, 0x5678};

JR_TEST(slots_are_handed_out_and_taken_back)
{
    struct jr_seg *seg = jr_seg_new(3, key);
    bool seen[JR_SEG_SLOTS] = {false};
    int marker;

    JR_REQUIRE(seg != NULL);
    for (uint32_t i = 0; i < JR_SEG_SLOTS; i++) {
        const uint32_t slot = jr_seg_slot_get(seg, &marker);
        JR_REQUIRE(slot < JR_SEG_SLOTS && !seen[slot]);
        seen[slot] = true;
    }
    JR_CHECK_EQ(jr_seg_slot_get(seg, &marker), JR_NO_SLOT);
    jr_seg_slot_put(seg, 77);
    jr_seg_slot_put(seg, 12);
    JR_CHECK_EQ(jr_seg_slot_get(seg, &marker), 12);
    JR_CHECK_EQ(jr_seg_slot_get(seg, &marker), 77);
    JR_CHECK_EQ(seg->hdr->seg_id, 3);
    JR_CHECK(jr_seg_key_ok(seg, key));
    JR_CHECK(!jr_seg_key_ok(seg, (uint64_t[2]){key[0], key[1] + 1}));
    jr_seg_free(seg, false);
}

JR_TEST(nobody_resizes_a_segment_or_writes_the_policy)
{
    struct jr_seg *seg = jr_seg_new(1, key);
    struct jr_policy policy;
    char path[40];

    JR_CHECK_EQ(ftruncate(seg->region.fd, 4096), -1);
    JR_CHECK_EQ(fcntl(seg->region.fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    jr_seg_free(seg, false);
    JR_CHECK_EQ(jr_policy_init(&policy, 20, JR_ROUTE_LOCAL), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", policy.region.fd);
    const int fd = open(path, O_RDWR);
    JR_CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    JR_CHECK_EQ(pwrite(fd, "x", 1, 0), -1);
    void *ro = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    JR_CHECK(ro != MAP_FAILED);
    JR_CHECK_EQ(mprotect(ro, 4096, PROT_READ | PROT_WRITE), -1);
    jr_policy_set_sleeping(&policy, true);
    JR_CHECK_EQ(((struct jr_abi_policy *)ro)->sleep_epoch, 1);
    munmap(ro, 4096);
    close(fd);
    jr_policy_fini(&policy);
}

JR_TEST(marks_are_taken_once)
{
    struct jr_seg *seg = jr_seg_new(1, key);
    struct jr_seg_marks m;

    JR_CHECK(!jr_seg_is_marked(seg->app, seg->closed_seen));
    seg->app->dirty[3] = 1ull << 63;
    seg->app->posted = 5;
    JR_CHECK(jr_seg_is_marked(seg->app, seg->closed_seen));
    jr_seg_take_marks(seg, &m);
    JR_CHECK(m.dirty[3] == 1ull << 63 && m.posted == 5 && !m.closed);
    JR_CHECK(!jr_seg_is_marked(seg->app, seg->closed_seen));
    seg->app->closed++;
    JR_CHECK(jr_seg_is_marked(seg->app, seg->closed_seen));
    jr_seg_take_marks(seg, &m);
    JR_CHECK(m.closed && !jr_seg_is_marked(seg->app, seg->closed_seen));
    jr_seg_free(seg, false);
}

JR_TEST(a_queue_is_rung_once_per_sleep)
{
    struct jr_seg *seg = jr_seg_new(1, key);
    struct jr_wake wake;
    uint64_t v = 0;
    const int fd = eventfd(0, EFD_NONBLOCK), mine = dup(fd);

    JR_CHECK_EQ(jr_wake_init(&wake), 0);
    jr_seg_eq_register(seg, 4, fd, seg, &wake);
    JR_CHECK(!jr_seg_post(seg, 4, 200, &wake)); /* nobody sleeps */
    jr_wake_flush(&wake);
    JR_CHECK_EQ(seg->eqs[4].posted[3], 1ull << (200 & 63));
    JR_CHECK_EQ(read(mine, &v, sizeof v), -1);
    seg->eqs[4].sleep_gen++;
    JR_CHECK(jr_seg_post(seg, 4, 200, &wake));
    JR_CHECK(!jr_seg_post(seg, 4, 7, &wake));
    jr_wake_flush(&wake);
    JR_CHECK_EQ(seg->eqs[4].order_tail, 2);
    JR_CHECK_EQ(seg->eqs[4].order[0], 1 << 8 | 200);
    JR_CHECK_EQ(seg->eqs[4].order[1], 2 << 8 | 7);
    JR_CHECK_EQ(read(mine, &v, sizeof v), 8);
    JR_CHECK_EQ(v, 1);
    JR_CHECK_EQ(seg->eqs[4].woken_gen, 1);
    close(mine);
    jr_seg_free(seg, false);
    jr_wake_fini(&wake);
}

/* The counter is full and the program took O_NONBLOCK away: a write() would sleep for ever. */
JR_TEST(a_hostile_eventfd_does_not_block)
{
    struct jr_wake wake;
    const uint64_t full = 0xfffffffffffffffe;
    const int fd = eventfd(0, EFD_NONBLOCK);

    JR_CHECK_EQ(write(fd, &full, sizeof full), 8);
    fcntl(fd, F_SETFL, 0);
    JR_CHECK_EQ(jr_wake_init(&wake), 0);
    alarm(5);
    for (int i = 0; i < 2000; i++)
        jr_wake_event(&wake, fd);
    jr_wake_flush(&wake);
    JR_CHECK_EQ(wake.event_wakes, 2000);
    alarm(0);
    JR_CHECK(jr_wake_is_eventfd(fd));
    JR_CHECK(!jr_wake_is_eventfd(0));
    close(fd);
    jr_wake_event(&wake, fd); /* closed meanwhile */
    jr_wake_flush(&wake);
    jr_wake_fini(&wake);
}

struct shared {
    int fd;
    uint32_t owner;
    struct jr_seg *left[2];
};

static void *service_thread(void *arg)
{
    struct shared *s = arg;
    struct jr_seg *one = jr_seg_new(1, key), *two = jr_seg_new(2, key), *three = jr_seg_new(3, key);

    jr_seg_free(two, false); /* the list is mended around it */
    s->fd = dup(one->region.fd);
    s->owner = one->hdr->owner;
    s->left[0] = one;
    s->left[1] = three;
    return NULL; /* ends with two segments */
}

JR_TEST(the_kernel_marks_the_segments_of_a_dead_thread)
{
    struct shared s = {0};
    pthread_t t;

    pthread_create(&t, NULL, service_thread, &s);
    pthread_join(t, NULL);
    const struct jr_abi_seg_hdr *h = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, s.fd, 0);
    JR_CHECK_EQ(s.owner & FUTEX_TID_MASK, s.owner & ~FUTEX_WAITERS);
    JR_CHECK_EQ(h->owner & FUTEX_TID_MASK, 0);
    JR_CHECK(h->owner & FUTEX_OWNER_DIED);
    munmap((void *)(uintptr_t)h, 4096);
    close(s.fd);
    free(s.left[0]);
    free(s.left[1]);
}

JR_TEST(a_killed_process_wakes_a_sleeper)
{
    int p[2], status;
    uint32_t v;

    JR_REQUIRE(pipe(p) == 0);
    const pid_t pid = fork();
    if (pid == 0) {
        struct jr_seg *seg = jr_seg_new(1, key);
        char path[48];
        snprintf(path, sizeof path, "%d %d", getpid(), seg->region.fd);
        (void)!write(p[1], path, sizeof path);
        pause();
    }
    char buf[48], path[64];
    int cpid, cfd;
    JR_REQUIRE(read(p[0], buf, sizeof buf) > 0 && sscanf(buf, "%d %d", &cpid, &cfd) == 2);
    snprintf(path, sizeof path, "/proc/%d/fd/%d", cpid, cfd);
    const int fd = open(path, O_RDWR);
    JR_REQUIRE(fd >= 0);
    struct jr_abi_seg_hdr *h = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    v = h->owner;
    JR_CHECK_EQ(v & FUTEX_TID_MASK, pid);
    alarm(10);
    kill(pid, SIGKILL);
    while (__atomic_load_n(&h->owner, __ATOMIC_ACQUIRE) == v)
        syscall(SYS_futex, &h->owner, FUTEX_WAIT, v, NULL, NULL, 0);
    alarm(0);
    JR_CHECK(h->owner & FUTEX_OWNER_DIED);
    waitpid(pid, &status, 0);
    munmap(h, 4096);
    close(fd);
    close(p[0]);
    close(p[1]);
}

JR_TEST(punching_frees_whole_pages_only)
{
    struct jr_seg *seg = jr_seg_new(1, key);
    uint8_t *tx = jr_seg_tx_base(seg, 3);

    memset(tx, 1, 3 * 4096);
    jr_region_punch(&seg->region, (size_t)(tx - seg->region.base) + 1, 2 * 4096);
    JR_CHECK_EQ(tx[0], 1);
    JR_CHECK_EQ(tx[4095], 1);
    JR_CHECK_EQ(tx[4096], 0);
    JR_CHECK_EQ(tx[8191], 0);
    JR_CHECK_EQ(tx[8192], 1);
    jr_seg_free(seg, false);
}

JR_TEST_MAIN
