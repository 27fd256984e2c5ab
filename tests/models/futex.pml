/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sleeping on a futex word (docs/shared-memory.md, "Who tells whom"): glibc-patches/client/wait.c with stream_rx.c against
 * netsvc/sock/notify.c. One publisher, two sleepers. Memory is total store order: the publisher has a store buffer, so
 * that a fence left out is a bug that the search finds.
 *
 * Claims: a sleeper does not stay asleep once everything was published (lost), and nobody is woken without having asked.
 * Mutations (-D): NO_FENCE, no fence between publishing and the look at the generation; NO_LOOK, the sleeper does not
 * look once more after it has asked; LATE_SEQ, it reads the word that it will sleep on after that look; ANSWER_AGAIN, the publisher
 * forgets what it has answered.
 */
#define ITEMS 2
#define SLEEPERS 2

byte tail;             /* shared: what is published */
byte buffered;         /* the publisher's store buffer: what its own tail is */
byte wait_gen;         /* shared: sleepers have asked this often */
byte answered;         /* the publisher's own */
byte seq;              /* shared: the futex word */
byte asleep;           /* bit per sleeper */
bool done[SLEEPERS];
byte wakes, asks;

#define SLEEPS(me) ((asleep >> me) & 1)

/* The store buffer drains by itself, sometime. */
active proctype store_buffer()
{
end:
    do
    :: atomic { tail != buffered -> tail = buffered }
    od
}

active proctype publisher()
{
    byte n, gen;

    do
    :: n < ITEMS ->
        n++;
        buffered = n; /* publish */
#ifndef NO_FENCE
        atomic { tail = buffered } /* full fence */
#endif
        gen = wait_gen;
        if
        :: gen == answered -> skip
        :: else ->
#ifndef ANSWER_AGAIN
            answered = gen;
#endif
            seq++; /* a read-modify-write: drains the buffer */
            atomic { tail = buffered; asleep = 0; wakes++ }
        fi
    :: else -> break
    od
}

proctype sleeper(byte me)
{
    byte head, seen;

    do
    :: head == ITEMS -> break
    :: head < ITEMS && tail > head -> head = tail /* something to take */
    :: head < ITEMS && tail == head ->
#ifndef LATE_SEQ
        seen = seq;
#endif
        atomic { wait_gen++; asks++ } /* sequentially consistent */
#ifndef NO_LOOK
        if
        :: tail > head -> goto again
        :: else -> skip
        fi;
#endif
#ifdef LATE_SEQ
        seen = seq;
#endif
        /* FUTEX_WAIT: sleeps only if the word is still what was seen */
        if
        :: atomic { seq == seen -> asleep = asleep | (1 << me) };
           !SLEEPS(me)
        :: seq != seen -> skip
        fi;
again:  skip
    od;
    done[me] = true
}

init
{
    atomic { run sleeper(0); run sleeper(1) }
}

ltl nobody_sleeps_for_ever { <> (done[0] && done[1]) }
ltl woken_on_request { [] (wakes <= asks) }
