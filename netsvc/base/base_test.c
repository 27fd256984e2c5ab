/* SPDX-License-Identifier: BSD-3-Clause */
/* The helpers of base/ that need no file of their own. */
#include "base/test.h"

#include <stdlib.h>

#include "base/addr.h"
#include "base/bits.h"
#include "base/byteorder.h"
#include "base/counters.h"
#include "base/hash.h"
#include "base/heap_pkt.h"
#include "base/list.h"
#include "base/log.h"
#include "base/pktq.h"
#include "base/rng.h"
#include "base/md5.h"
#include "base/siphash.h"
#include "base/sockbuf.h"

/* From the reference implementation's vectors: key 00..0f, message 00..n-1. */
JR_TEST(md5_vectors)
{
    static const struct {
        const char *text;
        uint8_t first[4];
    } v[] = {{"", {0xd4, 0x1d, 0x8c, 0xd9}},
             {"abc", {0x90, 0x01, 0x50, 0x98}},
             {"message digest", {0xf9, 0x6b, 0x69, 0x7d}},
             {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
              {0x57, 0xed, 0xf4, 0xa2}}}; /* RFC 1321 A.5 */
    for (unsigned i = 0; i < sizeof v / sizeof *v; i++) {
        struct jr_md5 m;
        uint8_t d[16];
        jr_md5_init(&m);
        jr_md5_update(&m, v[i].text, strlen(v[i].text));
        jr_md5_final(&m, d);
        JR_CHECK(memcmp(d, v[i].first, 4) == 0);
    }
}

JR_TEST(siphash_vectors)
{
    uint8_t key[16], msg[64];
    for (unsigned i = 0; i < 16; i++)
        key[i] = (uint8_t)i;
    for (unsigned i = 0; i < 64; i++)
        msg[i] = (uint8_t)i;
    JR_CHECK(jr_siphash(key, msg, 0) == 0x726fdb47dd0e0e31ull);
    JR_CHECK(jr_siphash(key, msg, 1) == 0x74f839c593dc67fdull);
    JR_CHECK(jr_siphash(key, msg, 8) == 0x93f5f5799a932462ull);
    JR_CHECK(jr_siphash(key, msg, 15) == 0xa129ca6149be45e5ull);
}

JR_TEST(rng_repeats_and_stays_in_range)
{
    struct jr_rng a, b;
    uint32_t seen = 0;
    jr_rng_init(&a, 7);
    jr_rng_init(&b, 7);
    for (int i = 0; i < 1000; i++)
        JR_CHECK(jr_rng_u64(&a) == jr_rng_u64(&b));
    jr_rng_init(&b, 8);
    JR_CHECK(jr_rng_u64(&a) != jr_rng_u64(&b));
    for (int i = 0; i < 1000; i++) {
        const uint32_t v = jr_rng_below(&a, 10);
        JR_CHECK(v < 10);
        seen |= 1u << v;
    }
    JR_CHECK_EQ(seen, 0x3ff);
    JR_CHECK_EQ(jr_rng_below(&a, 0), 0);
}

JR_TEST(byte_order_at_odd_addresses)
{
    uint8_t b[16] = {0};
    jr_store_be32(b + 1, 0x01020304);
    JR_CHECK_MEM(b, ((uint8_t[]){0, 1, 2, 3, 4, 0}), 6);
    JR_CHECK_EQ(jr_load_be16(b + 3), 0x0304);
    JR_CHECK_EQ(jr_load_be32(b), 0x00010203);
    jr_store_be64(b + 7, 0x0102030405060708ull);
    JR_CHECK(jr_load_be64(b + 7) == 0x0102030405060708ull);
    jr_store_be16(b, 0xabcd);
    JR_CHECK_EQ(b[0], 0xab);
    JR_CHECK_EQ(jr_load_raw16(b), jr_be16(0xabcd));
}

JR_TEST(powers_of_two)
{
    JR_CHECK_EQ(jr_pow2_ceil(0), 1);
    JR_CHECK_EQ(jr_pow2_ceil(1), 1);
    JR_CHECK_EQ(jr_pow2_ceil(3), 4);
    JR_CHECK_EQ(jr_pow2_ceil(4096), 4096);
    JR_CHECK_EQ(jr_pow2_ceil(4097), 8192);
    JR_CHECK(jr_is_pow2(1) && jr_is_pow2(64) && !jr_is_pow2(0) && !jr_is_pow2(6));
}

struct item {
    int n;
    struct jr_list link;
};

JR_TEST(list_keeps_order)
{
    struct jr_list l;
    struct item it[4];
    int sum = 0;
    jr_list_init(&l);
    JR_CHECK(jr_list_empty(&l) && !jr_list_first(&l) && !jr_list_pop_head(&l));
    for (int i = 0; i < 4; i++) {
        it[i].n = i;
        jr_list_push_tail(&l, &it[i].link);
    }
    jr_list_del(&it[1].link);
    jr_list_del(&it[1].link);
    JR_CHECK(!jr_list_linked(&it[1].link) && jr_list_linked(&it[2].link));
    jr_list_push_head(&l, &it[1].link);
    JR_LIST_EACH(n, &l)
        sum = sum * 10 + JR_LIST_ENTRY(n, struct item, link)->n;
    JR_CHECK_EQ(sum, 1023);
    JR_LIST_EACH_SAFE(n, &l)
        jr_list_del(n);
    JR_CHECK(jr_list_empty(&l));
}

JR_TEST(pool_counts_what_is_out)
{
    struct jr_heap_pool hp;
    struct jr_pktq q = {0};
    jr_heap_pool_init(&hp, 64, 3);
    for (int i = 0; i < 3; i++)
        jr_pktq_push(&q, jr_pkt_new(&hp.pool));
    JR_CHECK(!jr_pkt_new(&hp.pool));
    JR_CHECK_EQ(hp.pool.in_use, 3);
    JR_CHECK_EQ(q.count, 3);
    struct jr_pkt *pkt = jr_pktq_pop(&q);
    JR_CHECK(pkt->off == JR_PKT_HEADROOM && pkt->len == 0 && jr_pkt_tailroom(pkt) == 64);
    JR_CHECK(jr_pkt_put(pkt, 64) && !jr_pkt_put(pkt, 1));
    JR_CHECK(jr_pkt_push(pkt, JR_PKT_HEADROOM) && !jr_pkt_push(pkt, 1));
    JR_CHECK(!jr_pkt_pull(pkt, 1000) && jr_pkt_pull(pkt, JR_PKT_HEADROOM + 64));
    jr_pkt_free(pkt);
    jr_pktq_purge(&q);
    JR_CHECK_EQ(hp.pool.in_use, 0);
    hp.fail_in = 1;
    JR_CHECK(!jr_pkt_new(&hp.pool));
    pkt = jr_heap_pkt_copy(&hp, "abc", 3);
    JR_CHECK(pkt && pkt->len == 3 && jr_pkt_tailroom(pkt) == 0);
    jr_pkt_free(pkt);
    JR_CHECK_EQ(hp.pool.in_use, 0);
}

JR_TEST(sockbuf_wraps)
{
    uint8_t mem[16], out[16];
    struct jr_sockbuf sb = {.base = mem, .cap = 16, .head = 0xfffffffaull, .tail = 0xfffffffaull};
    jr_sockbuf_write(&sb, sb.tail, "0123456789abcdef", 16);
    sb.tail += 16;
    JR_CHECK_EQ(jr_sockbuf_used(&sb), 16);
    JR_CHECK_EQ(jr_sockbuf_space(&sb), 0);
    JR_CHECK_EQ(mem[0xa], '0');
    jr_sockbuf_read(&sb, sb.head + 3, out, 9);
    JR_CHECK_MEM(out, "3456789ab", 9);
    jr_sockbuf_read(&sb, sb.head, out, 0);
}

JR_TEST(flow_hash_spreads)
{
    unsigned bucket[64] = {0}, worst = 0;
    for (unsigned i = 0; i < 6400; i++) {
        const uint64_t h = jr_hash_flow(jr_addr_v4(jr_be32(0x0a000001)), 80, jr_addr_v4(jr_be32(0x0a000002)),
                                        (uint16_t)(1024 + i), 1);
        worst = jr_max_u32(worst, ++bucket[h & 63]);
    }
    JR_CHECK(worst < 160);
    JR_CHECK(jr_hash_addr(jr_addr_v4(1), 1) != jr_hash_addr(jr_addr_v4(1), 2));
}

static char log_last[64];
static void keep_line(void *ctx, enum jr_log_level level, const char *line)
{
    snprintf(log_last, sizeof log_last, "%s%d %s", (const char *)ctx, (int)level, line);
}

JR_TEST(log_goes_to_the_sink)
{
    jr_log_set_sink(keep_line, "x");
    jr_log(JR_LOG_ERROR, "port %d", 5);
    JR_CHECK_STR(log_last, "x0 port 5");
    jr_log(JR_LOG_DEBUG, "not shown");
    JR_CHECK_STR(log_last, "x0 port 5");
    jr_log_set_sink(NULL, NULL);
}

JR_TEST(addresses)
{
    JR_CHECK(jr_addr_is_any(jr_addr_v4(0)) && jr_addr_is_any((struct jr_addr){0}) && !jr_addr_is_any(jr_addr_v4(1)));
    JR_CHECK(jr_addr_is_v4(jr_addr_v4(1)) && !jr_addr_is_v4((struct jr_addr){0}));
}

JR_TEST_MAIN
