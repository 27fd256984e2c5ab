/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Waking the service (docs/shared-memory.md, "Who tells whom"): jr_dirty and doorbell.c of the client against main/loop.c and
 * ctl.c. Two programs, the first with two threads that share what was rung already; one service that polls, then sleeps
 * on its eventfds (one here: the kernel adds up what is written). Memory is total store order: what the service stores
 * plainly, the epoch, waits in its store buffer.
 *
 * Each thread marks twice. A signal handler may take the first thread away from its first call between any two steps,
 * for good (siglongjmp); the second is an ordinary call again.
 *
 * Claims: every mark of a call that was not left is taken (all_taken), and no thread rings twice for one sleep, unless it left before
 * it had noted it (rung_once).
 * Mutations (-D): NO_FENCE, none between the epoch and the scan; NO_SCAN, none at all after the epoch was made odd; RUNG_FLAG, the program
 * notes that it rang, but not for which sleep; NOTE_FIRST, it notes it and then rings; RING_FIRST, it rings before it
 * marks; RING_ALWAYS, whoever marks rings.
 */
#ifndef THREADS
#define THREADS 3
#endif
#define PROGRAM_OF(t) (t / 2)

bool dirty[THREADS], was_taken[THREADS], is_last[THREADS];
byte epoch, buffered; /* odd: the service sleeps */
byte rung[2];
byte bell;
byte rings[THREADS], sleeps;

active proctype store_buffer()
{
end:
    do
    :: atomic { epoch != buffered -> epoch = buffered }
    od
}

inline may_leave()
{
    if
    :: t == 0 && call == 1 -> goto left
    :: skip
    fi
}

inline note()
{
#ifdef RUNG_FLAG
    rung[PROGRAM_OF(t)] = 1
#else
    rung[PROGRAM_OF(t)] = seen
#endif
}

inline ring()
{
    seen = epoch;
    if
#ifdef RING_ALWAYS
    :: (seen & 1) ->
#elif defined(RUNG_FLAG)
    :: (seen & 1) && rung[PROGRAM_OF(t)] == 0 ->
#else
    :: (seen & 1) && rung[PROGRAM_OF(t)] != seen ->
#endif
#ifdef NOTE_FIRST
        note();
#endif
        may_leave();
        atomic { bell++; rings[t]++ };
        may_leave();
#ifndef NOTE_FIRST
        note()
#endif
    :: else -> skip
    fi
}

inline mark()
{
    /* a read-modify-write, which is a fence */
    atomic { dirty[t] = true; was_taken[t] = false; is_last[t] = (call == 2) }
}

proctype thread(byte t)
{
    byte seen, call = 1;

again:
#ifdef RING_FIRST
    ring();
    mark();
#else
    mark();
    may_leave();
    ring();
#endif
left:
    if
    :: call == 1 -> call = 2; goto again
    :: else -> skip
    fi
}

inline take()
{
    work = false;
    i = 0;
    do
    :: i < THREADS ->
        atomic {
            if
            :: dirty[i] -> dirty[i] = false; was_taken[i] = true; work = true
            :: else -> skip
            fi
        };
        i++
    :: else -> break
    od
}

active proctype service()
{
    byte i;
    bool work;

    do
    :: take();
       if
       :: work -> skip
       :: else ->
           atomic { buffered = buffered + 1; sleeps++ };
#ifndef NO_FENCE
           atomic { epoch = buffered };
#endif
#ifndef NO_SCAN
           take();
#endif
           if
           :: work -> skip
           :: else ->
end:
               atomic { bell > 0 -> bell = 0 } /* epoll_wait, then a read */
           fi;
           buffered = buffered + 1;
           atomic { epoch = buffered }
       fi
    od
}

init
{
    atomic {
        run thread(0);
        run thread(1);
#if THREADS > 2
        run thread(2)
#endif
    }
}

#if THREADS > 2
#define OTHERS (is_last[2] && was_taken[2])
#define OTHER_RINGS (rings[2] <= sleeps)
#else
#define OTHERS true
#define OTHER_RINGS true
#endif

ltl all_taken { <> (is_last[0] && was_taken[0] && is_last[1] && was_taken[1] && OTHERS) }
ltl rung_once { [] (rings[0] <= sleeps + 1 && rings[1] <= sleeps && OTHER_RINGS) }
