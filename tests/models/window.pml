/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A ring and the window it offers: the program reads and says so only when its head passes rx_notify_at
 * (glibc-patches/client/ring.c, __jr_rx_consumed); the service looks when it was told, or when something arrives, and puts the
 * mark ahead of what it saw (netsvc/sock/stream.c, sync_rx). The peer sends whatever the window allows; nothing is lost on
 * the wire and no timer helps, so a window that is never opened again is a stall. The same in the other direction, a
 * writer and the acknowledgements that make room, is futex.pml with bytes for items.
 *
 * The window is updated when it would grow by a quarter of the ring, or by half of it while it is small: the mark may
 * move back, too.
 *
 * Claims: everything arrives and is read (all_read); the ring never overflows (bounded).
 * Mutations (-D): LATE_FIRST, the mark is not set before the first bytes can be read; LATE_MARK, it is put further than
 * where an update is due; NO_DIRTY, the program never tells.
 */
#define CAP 4
#ifndef TOTAL
#define TOTAL 10
#endif

byte head, tail;    /* shared */
#ifdef LATE_FIRST
byte notify_at = 255;
#else
byte notify_at = 1; /* set before there is data to read */
#endif
bool dirty;
byte edge = CAP;    /* what the peer may send up to */
byte known;         /* the service's copy of head */
byte sent;          /* the peer's */
bool wire;          /* the service has something to take in */

#define STEP ((edge - tail) < 2 -> 2 : 1) /* worth an update */

proctype program()
{
    byte at;

    do
    :: head == TOTAL -> break
    :: head < TOTAL && tail > head ->
        if
        :: head = tail     /* all that is there */
        :: head = head + 1 /* or a part */
        fi;
        at = notify_at;
#ifndef NO_DIRTY
        if
        :: head >= at -> dirty = true
        :: else -> skip
        fi
#endif
    od
}

/* The window opens if that is worth it; the mark goes where the next update is due. */
inline look()
{
    was = known;
    known = head;
    if
    :: known != was && known + CAP >= edge + STEP -> edge = known + CAP
    :: else -> skip
    fi;
#ifdef LATE_MARK
    due = edge + STEP;
#else
    due = edge + STEP - CAP;
#endif
    notify_at = due
}

proctype service()
{
    byte was, due;

end:
    do
    :: atomic { wire -> wire = false; tail = sent };
       look()
    :: atomic { dirty -> dirty = false };
       look()
    od
}

proctype peer()
{
    do
    :: sent == TOTAL -> break
    :: atomic { sent < TOTAL && sent < edge -> sent++; wire = true }
    od
}

init
{
    atomic { run program(); run service(); run peer() }
}

ltl all_read { <> (head == TOTAL) }
ltl bounded { [] (tail - head <= CAP && head <= tail) }
