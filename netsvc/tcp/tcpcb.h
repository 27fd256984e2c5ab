/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A connection's control block and the stack that holds them: private to tcp/. Fields stand in the order in
 * which a segment touches them (the first seven cache lines are all that most need), and each group says who writes it.
 * Names follow FreeBSD's tcpcb and the RFCs.
 */
#ifndef JR_TCP_TCPCB_H
#define JR_TCP_TCPCB_H

#include <errno.h>

#include "base/bits.h"
#include "base/counters.h"
#include "base/list.h"
#include "base/rng.h"
#include "base/timer.h"
#include "jr_tcp_fsm.h"
#include "tcp/sendmap.h"
#include "tcp/seq.h"
#include "tcp/tcp.h"
#include "wire/tcp_wire.h"

enum {                      /* t_flags */
       TF_ACKNOW = 1u << 0, /* an ACK is due at the next output */
       TF_DELACK = 1u << 1, /* an ACK is due when the delayed-ACK timer says so, or with the next segment */
       TF_OUTPUT = 1u << 2, /* the flush calls output */
       TF_DIRTY = 1u << 3,  /* on the list of the next flush */
       TF_NODELAY = 1u << 4,
       TF_CORK = 1u << 5,      /* TCP_CORK */
       TF_MORE = 1u << 6,      /* MSG_MORE */
       TF_REQ_SCALE = 1u << 7, /* we offer or offered window scaling */
       TF_RCVD_SCALE = 1u << 8,
       TF_REQ_TSTMP = 1u << 9,
       TF_RCVD_TSTMP = 1u << 10, /* timestamps are in use */
       TF_SACK_PERMIT = 1u << 11,
       TF_SENTFIN = 1u << 12,
       TF_NEEDFIN = 1u << 13,    /* shutdown() came before the connection was established */
       TF_GOTFIN = 1u << 14,     /* rcv_fin is where the peer's stream ends */
       TF_RXWIN0SENT = 1u << 15, /* the last window we sent was zero */
       TF_FASTRECOVERY = 1u << 16,
       TF_RTORECOVERY = 1u << 17, /* resending from snd_una after a time-out, until snd_recover is acknowledged */
       TF_RTTVALID = 1u << 18,    /* t_rtseq is being timed */
       TF_KEEPALIVE = 1u << 19,
       TF_ORPHAN = 1u << 20,   /* the app closed it */
       TF_DETACHED = 1u << 21, /* JR_TCP_EV_CLOSED is pending or was given: no buffers, no upcalls but that */
       TF_ATTACHED = 1u << 22, /* has a socket that gets upcalls */
       TF_INHASH = 1u << 23,
       TF_BOUND = 1u << 24,   /* on a port's list: bind(), listen() */
       TF_PORTREF = 1u << 25, /* counted as a connection on its port */
       TF_REUSEADDR = 1u << 26,
       TF_REUSEPORT = 1u << 27,
       TF_V6ONLY = 1u << 28,
       TF_DEAD = 1u << 29,    /* on the list of what the next flush frees */
       TF_DSACK = 1u << 30,   /* dsack_* goes into the next ACK */
       TF_RESCUED = 1u << 31, /* the rescue retransmission of this recovery was sent (RFC 6675 NextSeg rule 4) */
};

enum {                              /* t_flags2 */
       TF2_FASTOPEN = 1u << 0,      /* TCP_FASTOPEN: as a client and as a listener */
       TF2_FO_ACCEPT = 1u << 1,     /* accepted by its SYN: on the accept queue before it is established */
       TF2_FO_PENDING = 1u << 2,    /* counted as such on parent */
       TF2_ECN_PERMIT = 1u << 3,    /* ECN was agreed on; with ACE_PERMIT: and the handshake's last bits are through */
       TF2_ACE_PERMIT = 1u << 4,    /* Accurate ECN was agreed on */
       TF2_ECN_ASKED = 1u << 5,     /* our last SYN asked for ECN */
       TF2_ACE_ASKED = 1u << 6,     /* for Accurate ECN */
       TF2_ACE_HANDSHAKE = 1u << 7, /* the next ACK tells how the SYN|ACK came */
       TF2_ECN_SND_CWR = 1u << 8,   /* the next new data says that the window was reduced */
       TF2_ECN_SND_ECE = 1u << 9,   /* marks are being echoed */
       TF2_ECN_USE_ECT1 = 1u << 10,
       TF2_NOOPT = 1u << 11,        /* TCP_NOOPT: segments have no options */
       TF2_CONGRECOVERY = 1u << 12, /* marks before ecn_recover were answered */
       TF2_FO_DEFER = 1u << 13,     /* TCP_FASTOPEN_CONNECT: connecting may wait for data */
       TF2_FO_SYN_DATA = 1u << 14,  /* data of a SYN was taken, by either side */
       TF2_UTO_SET = 1u << 15,      /* TCP_USER_TIMEOUT says what user_timeout is, not the peer */
       TF2_UTO_DUE = 1u << 16,      /* the peer is to be told of it */
       TF2_SLOWACK = 1u << 17,      /* TCP_QUICKACK was taken back */
       TF2_CANTRCV = 1u << 18,      /* shut down for reading */
};

enum { /* TT_NUDGE: output again, after TCP_CORK's longest wait or a shortage of packets */
       TT_REXMT,
       TT_PERSIST,
       TT_KEEP,
       TT_2MSL,
       TT_DELACK,
       TT_NUDGE,
       TT__COUNT
};

enum { JR_TIMER_TCPCB, JR_TIMER_SYNCACHE, JR_TIMER_TIMEWAIT }; /* jr_timer.kind */

struct jr_tcp_reass;
struct jr_tcp_listener;
struct jr_tcp_fastopen;
struct jr_fastopen_keys;
struct jr_fastopen_cache;
struct jr_hostcache;
struct jr_tcp_md5key;
struct jr_cc_algo;

/* Room for a congestion control algorithm's own numbers; each overlays its struct. */
struct jr_cc_state {
    uint64_t w[8];
};

struct jr_cc_hystart {                                  /* written by cc_hystart.c */
    uint32_t last_minrtt, current_minrtt, css_baseline; /* microseconds; UINT32_MAX: none */
    uint32_t samples, css_rounds;
    enum { HS_OFF, HS_SLOW_START, HS_CSS } phase;
};

struct jr_cc_newcwv {   /* written by cc_newcwv.c */
    uint32_t acked;     /* bytes in this round */
    uint32_t sample[3]; /* and in those before */
    uint8_t at;
    jr_time unused_since; /* most of the window; 0: it is in use */
};

#define JR_CC_TIMED 16
struct jr_cc_timed { /* data whose round trip is being measured; written by cc_hystart.c */
    jr_seq end[JR_CC_TIMED];
    uint32_t at[JR_CC_TIMED]; /* when it left: the clock's low half */
    uint8_t head, n;
    uint8_t dense; /* so many of this round are still timed as closely as ACKs come */
    jr_seq next;   /* data up to here is the next to be timed */
};

/* What TT_REXMT stands for. */
enum jr_rexmt {
    JR_REXMT_RTO,
    JR_REXMT_PTO, /* a loss probe (tlp.c) */
    JR_REXMT_REO, /* the end of the reordering window (rack.c) */
};

/* RFC 8985 5.3, its words. */
struct jr_rack {  /* written by rack.c */
    jr_time xmit; /* of what was sent last among all that has arrived */
    jr_seq end;   /* and where that ends */
    jr_seq fack;  /* the highest sequence number that has arrived */
    uint32_t rtt; /* microseconds */
    jr_seq dsack_round;
    uint8_t reo_wnd_mult, reo_wnd_persist;
    bool in_dsack_round, reordering_seen;
    bool on; /* it finds the losses: always, or since reordering was taken for one (rack.enable) */
};

enum { JR_UNDO_NONE, JR_UNDO_RTO, JR_UNDO_RECOVERY };
struct jr_undo { /* written by undo.c; the window that comes back is cc.c's */
    jr_seq prev_recover;
    jr_seq una, recover; /* what was outstanding */
    uint32_t ts;         /* our timestamp then */
    uint32_t rexmt;      /* bytes sent again of which no D-SACK came */
    jr_time badrxtwin;   /* an ACK before then is the original's */
    uint8_t what;
    bool resent;
};

enum { JR_FRTO_NONE, JR_FRTO_RESENT, JR_FRTO_FORWARD }; /* RFC 5682: waits for the first, the second ACK */

struct jr_tcpcb {
    /* line 0, look-up: written by pcb.c; t_state by jr_tcp_move() */
    struct jr_tcpcb *hash_next;
    uint32_t hash;
    uint16_t lport, fport;
    struct jr_addr laddr, faddr;
    uint32_t t_flags;
    uint8_t t_state;
    uint8_t snd_scale, rcv_scale;
    uint8_t t_dupacks;
    struct jr_tcp *tcp;

    /* line 1, every segment: rcv_* by input.c and reass.c; rcv_adv, last_ack_sent, snd_nxt, snd_max by output.c; the
     * other snd_* by ack.c; snd_cwnd by cc_*.c */
    jr_seq rcv_nxt, rcv_adv, last_ack_sent;
    uint32_t ts_recent;
    jr_seq snd_una, snd_nxt, snd_max;
    jr_seq snd_sb_seq; /* sequence number of stream offset snd->head */
    uint32_t snd_wnd, snd_cwnd;
    jr_seq snd_wl1, snd_wl2;
    struct jr_sockbuf *snd, *rcv;

    /* line 2, every segment: time-outs by timer.c, the rest by state.c */
    jr_time t_rcvtime;       /* when the last segment came */
    jr_time t_dl[TT__COUNT]; /* JR_TIME_NEVER: not running */
    struct jr_tcpcb *dirty_next;

    /* line 3, every segment, too: counts by input.c, data.c and output.c */
    uint32_t t_maxseg;   /* most payload of a segment with no option but timestamps, if those are in use */
    uint32_t t_flags2;   /* TF2_*: ECN_* and ACE_* by ecn.c, CONGRECOVERY and SND_CWR by cc.c, FO_* by fastopen.c */
    uint32_t ev_pending; /* state.c */
    uint32_t segs_in, segs_out, data_segs_in;
    uint32_t snd_limited;       /* bytes limited transmit may add to the window; recover.c */
    uint32_t rt_gen;            /* mss.c, as rt and rt_ok */
    struct jr_tcp_reass *reass; /* reass.c; NULL: nothing out of order */
    jr_time ts_recent_age;      /* input.c */
    uint64_t bytes_received;
    bool rt_ok : 1;
    bool rcv_tuned : 1;                  /* autotuning asked for more than recvspace: all of rcv may be offered */
    bool urg_seen : 1;                   /* data.c */
    uint8_t quickacks;                   /* ACKs not to be delayed */
    uint8_t tos[2], ttl[2];              /* opts.c; of IPv4, of IPv6: a socket of IPv6 may have either peer */
    uint8_t pmtudisc : 4, pmtudisc6 : 4; /* IP_MTU_DISCOVER, IPV6_MTU_DISCOVER */
    uint8_t frto;                        /* frto.c */

    /* line 4, the socket and what a received segment changes of the estimates: by usrreq.c, data.c, rtt.c, opts.c */
    void *so;
    const struct jr_tcp_upcalls *up;
    const struct jr_tcp_md5key *md5; /* md5sig.c; NULL: segments aren't signed */
    uint64_t t_pacing_rate;          /* bytes per second; 0: not paced. By pace.c */
    jr_time rtt_start;
    uint32_t rtt_bytes; /* received since rtt_start, for autotuning */
    uint32_t t_srtt;    /* microseconds; 0: not measured yet */
    uint32_t ts_offset;
    uint32_t rcv_clamp; /* TCP_WINDOW_CLAMP: most bytes to offer; 0: none */
    uint32_t rcv_want, snd_want;

    /* line 5, what a sent segment changes: by timer.c and output.c */
    struct jr_timer timer; /* runs at or before the first of t_dl */
    jr_time t_acktime;     /* when snd_una last moved, or data was sent with none outstanding */
    jr_time t_sndtime;     /* when data was last sent */
    jr_seq snd_sml;        /* end of the last not full segment (Minshall's Nagle) */
    jr_seq snd_up;         /* end of urgent data; == snd_una: none */
    jr_seq rcv_fin;        /* data.c */
    uint32_t t_rxtcur;     /* microseconds */

    /* lines 6 to 8 */
    struct jr_ip_route rt;
    struct jr_sendmap map; /* with SACK only */

    /* send side: written by output.c and ack.c */
    uint32_t fo_qlen;    /* TCP_FASTOPEN's value */
    uint64_t pace_at_ns; /* when the next segment may leave */
    struct jr_timer pace_timer;
    uint64_t max_pacing_rate; /* SO_MAX_PACING_RATE; 0: none */
    uint64_t cc_pacing_rate;  /* what the algorithm wants, by cc_*.c; 0: nothing */
    uint32_t snd_ssthresh, max_sndwnd;
    uint32_t snd_maxflight; /* most bytes outstanding since snd_flight_seq was sent */
    jr_seq snd_flight_seq;
    uint32_t t_rttvar, t_rttmin; /* microseconds */
    uint32_t t_rxtshift;
    jr_seq t_rtseq; /* without transmit records one segment a round trip is timed */
    jr_time t_rtttime;
    jr_seq rtt_round; /* rtt.c: samples count until this is acknowledged */
    uint32_t rtt_n;
    uint32_t rtt_last; /* what the ACK being handled measured, of data sent once; 0: nothing */
    uint64_t rtt_sum, rtt_dev;
    jr_time t_rttmin_until;
    uint32_t t_rttmin_prev;
    bool rtt_doubted, rtt_fresh;                 /* the estimate starts over; a sample came since the last probe */
    jr_seq snd_recover;                          /* snd_max when recovery began */
    uint32_t prr_delivered, prr_out, recover_fs; /* RFC 6937 */
    uint32_t t_lastacked;                        /* bytes by which snd_una moved last (RFC 6582 4.1) */
    struct jr_rack rack;
    struct jr_undo undo;
    const struct jr_cc_algo *cc;
    struct jr_cc_state ccs;
    struct jr_cc_state ccs_prev; /* these three by cc.c: as before the last reduction, should it be a mistake */
    uint32_t snd_cwnd_prev, snd_ssthresh_prev;
    uint32_t t_scep, t_rcep, t_rcep_sent; /* Accurate ECN: marked packets of ours, of the peer's, as last told */
    uint32_t t_ecn_marked;                /* bytes of the ACK being handled that were marked */
    jr_seq ecn_recover;                   /* cc.c: snd_max when marks were answered */
    uint8_t t_ace_syn;                    /* how the SYN|ACK came */
    jr_seq cc_round_end;                  /* cc.c: its ACK begins the next round */
    struct jr_cc_hystart hs;
    struct jr_cc_newcwv newcwv;
    struct jr_cc_timed timed;
    jr_time t_rtodl;  /* timer.c: when the retransmission time-out is, if TT_REXMT stands for something earlier */
    uint8_t rexmt_is; /* enum jr_rexmt */
    bool partial_ack; /* a recovery without SACK had one (RFC 6582 3.2 step 3) */
    bool tlp_out;     /* tlp.c: a probe was sent and what became of it isn't known */
    bool tlp_rexmit;  /* it sent old data */
    jr_seq tlp_end;   /* snd_max when it was sent */
    jr_seq frto_end;  /* end of what the time-out sent again */

    /* receive side: written by input.c, reass.c and output.c */
    jr_seq rcv_up;
    jr_seq dsack_start, dsack_end;
    uint64_t urg_off;    /* stream offset behind the last urgent byte */
    uint64_t urg_run;    /* stream offset of the first of the urgent bytes that end there without a gap */
    uint8_t t_softerror; /* an errno an ICMP error or the network layer told */
    bool limited_dup;    /* the ACK being handled may use limited transmit */
    uint32_t ack_war_cnt;
    jr_time ack_war_end;

    /* the connection as a whole: written by usrreq.c, opts.c, state.c, syncache.c */
    uint32_t t_rttupdated;              /* round trips measured; ack.c */
    uint16_t t_blackhole_mss;           /* plpmtud.c; 0: no black hole was found */
    uint8_t minttl[2];                  /* opts.c: of IPv4's and of IPv6's packets, RFC 5082 */
    struct jr_tcp_md5key *md5_keys;     /* md5sig.c */
    struct jr_tcp_fastopen *fo;         /* fastopen.c; NULL: not in use */
    struct jr_fastopen_keys *fo_keys;   /* fastopen.c; NULL: the service's */
    struct jr_sockbuf own_snd, own_rcv; /* before attach and after detach */
    int t_error;
    jr_seq iss, irs;
    uint16_t t_peermss;                                          /* the MSS option of the peer */
    uint16_t t_usermss;                                          /* TCP_MAXSEG; 0: none */
    uint32_t t_pmtu;                                             /* an ICMP error's limit on the route's MTU; 0: none */
    uint32_t keepinit, keepidle, keepintvl, keepcnt, keepprobes; /* ms, ms, ms, count, sent and not answered */
    jr_time keepprobe_time;                                      /* when the last probe was sent */
    uint32_t user_timeout;                                       /* ms; 0: none */
    uint32_t uto_remote;                                         /* s; the peer's; 0: it told none */
    uint32_t rcv_space;      /* bytes that rcv will hold once there is one: a listener's SO_RCVBUF; 0: recvspace */
    uint32_t linger2;        /* ms in FIN_WAIT_2 */
    uint32_t defer_accept;   /* s; TCP_DEFER_ACCEPT of a listener; 0: off */
    uint8_t syncnt;          /* TCP_SYNCNT: most SYNs to send again; 0: until keepinit */
    struct jr_tcpcb *parent; /* embryo: the listener */
    struct jr_tcp_listener *listener; /* LISTEN only */
    struct jr_list link;              /* accept queue, TIME_WAIT queue or the list of the dead */
    struct jr_list port_link, all_link;

    /* for TCP_INFO */
    uint64_t bytes_sent, bytes_rexmt, bytes_acked;
    uint32_t data_segs_out;
    uint32_t rexmt_segs, dsack_dups, rcv_ooopack, sndzerowin;
} __attribute__((aligned(64)));

_Static_assert(offsetof(struct jr_tcpcb, rcv_nxt) == 64, "look-up fills the first cache line");
_Static_assert(offsetof(struct jr_tcpcb, t_rcvtime) == 128, "the second");
_Static_assert(offsetof(struct jr_tcpcb, t_maxseg) == 192, "the third");
_Static_assert(offsetof(struct jr_tcpcb, so) == 256, "the fourth");
_Static_assert(offsetof(struct jr_tcpcb, timer) == 320, "the fifth");
_Static_assert(offsetof(struct jr_tcpcb, rt) == 384, "and the sixth");

struct jr_tcp_listener {  /* written by usrreq.c and syncache.c */
    struct jr_list queue; /* established embryos */
    uint32_t len, backlog;
    uint32_t half; /* entries of the SYN cache */
    uint32_t fastopen_pending;
};

/* What is bound to a port. */
struct jr_tcp_port { /* written by pcb.c */
    struct jr_list bound;
    struct {
        uint32_t n, noreuseaddr, noreuseport;
    } conns[2]; /* connections with this local port that are not on bound: of IPv4, of IPv6 */
};

struct jr_tcp_syncache;

struct jr_tcp {
    struct jr_tcpcb **buckets; /* pcb.c */
    uint32_t bucket_mask, hash_count;
    uint64_t hash_key[4];
    struct jr_tcpcb *dirty_head, **dirty_tail; /* state.c */
    struct jr_counters *counters;
    struct jr_ip *ip;
    struct jr_wheel wheel;
    struct jr_wheel pace_wheel;      /* pace.c */
    struct jr_tcp_port **ports[256]; /* pcb.c; by high byte, then low byte; NULL: nothing uses it */
    struct jr_tcp_syncache *syncache;
    struct jr_fastopen_cache *fastopen; /* NULL: empty */
    struct {                            /* fastopen.c: the server's keys, the newest first */
        uint8_t key[2][16];
        uint32_t epoch;  /* the newest one's */
        uint32_t serial; /* of the last fastopen.setkey */
        bool made;
    } fokeys;
    uint32_t sack_globalholes; /* sack.c: SACKed ranges of all connections */
    uint32_t reass_segs;       /* reass.c: ranges out of order of all connections */
    struct jr_list all, dead, timewait;
    uint32_t count, tw_count;             /* tcpcbs; connections in TIME_WAIT, whichever way they are kept */
    struct jr_list tw_records, tw_unused; /* timewait.c: the oldest first; memory for more */
    uint32_t tw_record_count;
    struct jr_tw_chunk *tw_chunks;
    struct jr_timer tw_timer;
    uint32_t md5_keys;              /* md5sig.c: of all sockets; 0: nothing is signed */
    bool has_minttl;                /* opts.c: some socket has ever asked for neighbours only */
    struct jr_hostcache *hostcache; /* NULL: empty */
    struct jr_rng rng;
    uint32_t rst_tokens; /* respond.c */
    jr_time rst_refill;
    uint32_t ephemeral_count;
    struct jr_tcp_config cfg;
};

/* A received segment. */
struct jr_tcp_seg {
    jr_seq seq, ack;
    uint32_t wnd; /* scaled */
    uint32_t len; /* payload bytes */
    uint16_t urp;
    uint8_t flags; /* TH_* */
    bool opts_ok;  /* opts is filled */
    struct jr_tcp_opts opts;
    const uint8_t *data;
    struct jr_tcp_view hdr;
    struct jr_pkt *pkt;
    const struct jr_ip_rx *rx;
};

/* Asks for what nearly every segment needs of it. */
static inline void jr_tcp_prefetch_pcb(const struct jr_tcpcb *tp)
{
    for (unsigned at = 0; at < offsetof(struct jr_tcpcb, map); at += 64)
        __builtin_prefetch((const char *)tp + at, 1);
}
static inline void jr_tcp_count_c(const struct jr_tcpcb *tp, enum jr_counter c) { jr_count(tp->tcp->counters, c); }
static inline bool jr_tcp_is_v4(const struct jr_tcpcb *tp) { return jr_addr_is_v4(tp->faddr); }
static inline uint8_t jr_tcp_tos(const struct jr_tcpcb *tp, struct jr_addr to) { return tp->tos[!jr_addr_is_v4(to)]; }
static inline uint8_t jr_tcp_ttl(const struct jr_tcpcb *tp, struct jr_addr to) { return tp->ttl[!jr_addr_is_v4(to)]; }
/* States in which the peer's SYN has been seen. */
static inline bool jr_tcp_have_rcvd_syn(int state) { return state >= TCPS_SYN_RECEIVED; }
/* States in which the peer's FIN has been seen. */
static inline bool jr_tcp_have_rcvd_fin(int state)
{
    return state == TCPS_CLOSE_WAIT || state == TCPS_CLOSING || state == TCPS_LAST_ACK || state == TCPS_TIME_WAIT;
}
/* The sequence number behind all that the app wrote. */
static inline jr_seq jr_tcp_data_end(const struct jr_tcpcb *tp)
{
    return jr_seq_add(tp->snd_sb_seq, jr_sockbuf_used(tp->snd));
}
static inline uint64_t jr_tcp_rcv_off(const struct jr_tcpcb *tp, jr_seq seq)
{
    return tp->rcv->tail + (uint64_t)(int64_t)jr_seq_diff(seq, tp->rcv_nxt);
}

#endif
