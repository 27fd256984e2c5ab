/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An epoll with two sockets in it (docs/shared-memory.md, "Epoll"): glibc-patches/client/epoll*.c against jr_seg_post in
 * netsvc/shm/seg.c. The service publishes, posts the socket's bit unless it is still set, and writes the queue's eventfd
 * if somebody has armed it since. Two workers wait, one event at a time; the first leaves for good after its first one, as
 * a thread does that has work for a long time. The eventfd is in the kernel's set edge-triggered: each write wakes one
 * sleeper, or the next to come. Memory is total store order: what the service publishes waits in its store buffer.
 *
 * LEVEL (default), EDGE and ONCE (EPOLLONESHOT) are the ways to register. AGAIN: slot 0 is posted once more though nothing came.
 * Claims: everything published is handled (all_handled); an edge is reported once, a one-shot interest once each time it
 * was armed (no_more_than_due).
 * Mutations (-D): NO_FENCE, the service does not fence between publishing and the look at the mark; NO_LOOK, the waiter does not
 * look once more after it has armed the queue; NO_PASS_ON, who takes what it can't report wakes nobody else; NO_SEEN, an edge
 * is not remembered; NO_KICK, a one-shot interest that is armed again wakes nobody who waits already.
 */
#define SLOTS 2
#ifndef ITEMS
#define ITEMS 3 /* the last one is slot 1's */
#endif
#define SLOT_OF(i) (i == ITEMS - 1 -> 1 : 0)
#ifdef AGAIN
#define POSTS (ITEMS + 1)
#else
#define POSTS ITEMS
#endif
#define BIT(s) (1 << (s))

byte tail[SLOTS], buffered[SLOTS], head[SLOTS];
byte posted;            /* shared: bit per slot */
byte sleep_gen;         /* shared */
byte answered;          /* the service's */
bool bell;              /* the eventfd is on the kernel's ready list */
bool locked;            /* the epoll's lock, and what it protects: */
byte queued, disabled;
byte seen[SLOTS];
byte sleepers;
byte due[SLOTS], reports[SLOTS];

active proctype store_buffer()
{
end:
    do
    :: atomic { tail[0] != buffered[0] -> tail[0] = buffered[0] }
    :: atomic { tail[1] != buffered[1] -> tail[1] = buffered[1] }
    od
}

active proctype service()
{
    byte i, gen, mark;

    do
    :: i < POSTS ->
        atomic {
            if
            :: i < ITEMS ->
                buffered[SLOT_OF(i)] = buffered[SLOT_OF(i)] + 1;
#ifdef EDGE
                due[SLOT_OF(i)] = due[SLOT_OF(i)] + 1
#endif
            :: else -> skip /* it can be written again, say */
            fi
        };
#ifndef NO_FENCE
        atomic { tail[SLOT_OF(i)] = buffered[SLOT_OF(i)] };
#endif
        mark = BIT(SLOT_OF(i));
        if
        :: (posted & mark) -> skip
        :: else -> atomic { posted = posted | mark; tail[0] = buffered[0]; tail[1] = buffered[1] }
        fi;
        gen = sleep_gen;
        if
        :: gen != answered -> answered = gen; bell = true
        :: else -> skip
        fi;
        i++
    :: else -> break
    od
}

/* One step each: under the lock nothing else of this process runs in between, and the service's words are read once. */
inline queue(s)
{
#ifdef EDGE
    if
    :: tail[s] != seen[s] ->
#ifndef NO_SEEN
        seen[s] = tail[s];
#endif
        queued = queued | BIT(s)
    :: else -> skip
    fi
#else
    queued = queued | BIT(s)
#endif
}

inline take()
{
    atomic { bits = posted; posted = 0 };
    atomic {
        if
        :: bits & 1 -> queue(0)
        :: else -> skip
        fi
    };
    atomic {
        if
        :: bits & 2 -> queue(1)
        :: else -> skip
        fi
    }
}

inline report(s)
{
    atomic {
        queued = queued & ~BIT(s);
        if
        :: !(disabled & BIT(s)) && tail[s] > head[s] ->
            found = s;
            reports[s] = reports[s] + 1;
#ifdef ONCE
            disabled = disabled | BIT(s)
#else
#ifndef EDGE
            queued = queued | BIT(s)
#endif
#endif
        :: else -> skip
        fi
    }
}

/* maxevents is 1. */
inline collect()
{
    found = SLOTS;
    do
    :: found == SLOTS && (queued & 1) -> report(0)
    :: found == SLOTS && (queued & 2) -> report(1)
    :: found != SLOTS || queued == 0 -> break
    od
}

inline lock() { atomic { !locked -> locked = true } }

inline pass_on()
{
#ifndef NO_PASS_ON
    if
    :: sleepers > 0 ->
        sleep_gen++;
        take();
        if
        :: queued != 0 -> bell = true
        :: else -> skip
        fi
    :: else -> skip
    fi
#else
    skip
#endif
}

/* Reads: an edge must be taken to its end. */
inline handle(s)
{
    atomic {
        if
        :: head[s] < tail[s] -> head[s] = tail[s]
#ifndef EDGE
        :: head[s] < tail[s] -> head[s] = head[s] + 1
#endif
        :: head[s] == tail[s] -> skip
        fi
    };
#ifdef ONCE
    lock();
    atomic { disabled = disabled & ~BIT(s); due[s] = due[s] + 1 };
    if
    :: sleepers > 0 -> sleep_gen++
    :: else -> skip
    fi;
    if
    :: tail[s] > head[s] ->
        queued = queued | BIT(s);
#ifndef NO_KICK
        if
        :: sleepers > 0 -> bell = true
        :: else -> skip
        fi
#endif
    :: else -> skip
    fi;
    locked = false
#endif
}

proctype worker(bool leaves)
{
    byte bits, found;

enter:
    lock();
again:
    take();
    collect();
    if
    :: found == SLOTS ->
        sleep_gen++;
#ifndef NO_LOOK
        take();
        collect()
#endif
    :: else -> skip
    fi;
    if
    :: found != SLOTS ->
        pass_on();
        locked = false;
        handle(found);
        if
        :: leaves -> goto out
        :: else -> goto enter
        fi
    :: else -> skip
    fi;
    sleepers++;
    locked = false;
end:
    atomic { bell -> bell = false };
    lock();
    sleepers--;
    goto again;
out:
    skip
}

init
{
    atomic {
#ifdef ONCE
        due[0] = 1;
        due[1] = 1;
#endif
        run worker(true);
        run worker(false)
    }
}

ltl all_handled { <> (head[0] == ITEMS - 1 && head[1] == 1) }
#if defined(EDGE) || defined(ONCE)
ltl no_more_than_due { [] (reports[0] <= due[0] && reports[1] <= due[1]) }
#endif
