/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Waking the service (docs/shared-memory.md, "Who tells whom"): jr_dirty and doorbell.c of the client against main/loop.c and
 * ctl.c. Two programs, the first with two threads that share what was rung already; one service that polls, then sleeps
 * on its eventfds (one here: the kernel adds up what is written). Memory is total store order: what the service stores
 * plainly, the epoch, waits in its store buffer.
 *
 * Claims: every mark is taken (all_taken), and no program rings twice for one sleep (rung_once).
 * Mutations (-D): NO_FENCE, none between the epoch and the scan; NO_SCAN, none at all after the epoch was made odd; RUNG_FLAG, the program
 * notes that it rang, but not for which sleep; RING_FIRST, it rings before it
 * marks; RING_ALWAYS, whoever marks rings.
 */
#ifndef THREADS
#define THREADS 3
#endif
#define PROGRAM_OF(t) (t / 2)

bool dirty[THREADS], was_taken[THREADS];
byte epoch, buffered; /* odd: the service sleeps */
byte rung[2];
byte bell;
byte rings[2], sleeps;

active proctype store_buffer()
{
end:
    do
    :: atomic { epoch != buffered -> epoch = buffered }
    od
}

inline ring(p)
{
    seen = epoch;
    if
#ifdef RING_ALWAYS
    :: (seen & 1) ->
        atomic { bell++; rings[p]++ };
        won = false
    :: false ->
#elif defined(RUNG_FLAG)
    :: (seen & 1) && rung[p] == 0 ->
#else
    :: (seen & 1) && rung[p] != seen ->
#endif
        old = rung[p];
        atomic { /* compare and exchange */
            if
            :: rung[p] == old && old != seen -> rung[p] = seen; won = true
            :: else -> won = false
            fi
        };
        if
        :: won -> atomic { bell++; rings[p]++ }
        :: else -> skip
        fi
    :: else -> skip
    fi
}

proctype thread(byte t)
{
    byte seen, old;
    bool won;

#ifdef RING_FIRST
    ring(PROGRAM_OF(t));
    dirty[t] = true
#else
    atomic { dirty[t] = true }; /* a read-modify-write, which is a fence */
    ring(PROGRAM_OF(t))
#endif
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

ltl all_taken { <> (was_taken[0] && was_taken[1] && was_taken[THREADS - 1]) }
ltl rung_once { [] (rings[0] <= sleeps && rings[1] <= sleeps) }
