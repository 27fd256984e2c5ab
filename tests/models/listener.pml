/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A wildcard listener in an epoll: connections come from the service and from the kernel listener behind it, and are merged
 * in readiness and in accept() (glibc-patches/client/epoll_ctl.c, epoll_wait.c, listen.c). It is registered, level-triggered, while they
 * arrive already. The kernel listener is in the kernel's set under the interest's address. Memory is total store order.
 *
 * Claims: every connection is accepted (all_accepted); one call reports the listener once (once_a_call).
 * Mutations (-D): NO_FENCE, the service does not fence between the count and the look at who watches; NO_LOOK, registering does
 * not look whether something is there already; NO_SHADOW, the kernel's listener is not registered; SERVICE_ONLY, accept() asks the
 * service alone; NO_BATCH, the call forgets what it has reported.
 */
#define FROM_SERVICE 2
#ifndef FROM_KERNEL
#define FROM_KERNEL 2
#endif

byte ready, buffered;   /* connections in the service's queue; what is published of them */
byte kernel;            /* in the kernel listener's */
bool watch, posted, shadowed;
byte sleep_gen, answered;
bool bell;
byte taken;             /* from the service */
byte accepted;
byte in_call;           /* reports of this call */

active proctype store_buffer()
{
end:
    do
    :: atomic { ready != buffered -> ready = buffered }
    od
}

active proctype service()
{
    byte i, gen;

    do
    :: i < FROM_SERVICE ->
        i++;
        buffered = buffered + 1;
#ifndef NO_FENCE
        atomic { ready = buffered };
#endif
        if
        :: watch ->
            if
            :: posted -> skip
            :: else -> atomic { posted = true; ready = buffered }
            fi;
            gen = sleep_gen;
            if
            :: gen != answered -> answered = gen; bell = true
            :: else -> skip
            fi
        :: else -> skip
        fi
    :: else -> break
    od
}

active proctype network()
{
    byte i;

    do
    :: i < FROM_KERNEL -> i++; kernel++
    :: else -> break
    od
}

#define READY (ready > taken)

inline gather()
{
    atomic {
        if
        :: posted -> posted = false; queued = true
        :: else -> skip
        fi
    };
    if
    :: queued ->
        queued = false;
        if
        :: READY ->
            queued = true;
#ifdef NO_BATCH
            in_call++
#else
            in_call = (in_call == 0 -> 1 : in_call)
#endif
        :: else -> skip
        fi
    :: else -> skip
    fi
}

inline accept_one()
{
    if
    :: READY -> taken++; accepted++
#ifndef SERVICE_ONLY
    :: !READY && kernel > 0 -> atomic { kernel--; accepted++ }
#endif
    :: else -> skip
    fi
}

active proctype program()
{
    bool queued;

    /* EPOLL_CTL_ADD */
    atomic { watch = true }; /* a read-modify-write */
#ifndef NO_SHADOW
    shadowed = true;
#endif
#ifndef NO_LOOK
    queued = READY;
#endif
    do
    :: in_call = 0;
       gather();
       if
       :: in_call == 0 ->
           sleep_gen = (sleep_gen == answered -> sleep_gen + 1 : sleep_gen); /* the code counts on: the same */
           gather()
       :: else -> skip
       fi;
       if
       :: in_call == 0 ->
end:
           atomic { bell || (shadowed && kernel > 0) -> skip };
           if
           :: shadowed && kernel > 0 -> in_call++
           :: else -> skip
           fi;
           bell = false;
           gather()
       :: else -> skip
       fi;
       if
       :: in_call > 0 -> accept_one()
       :: else -> skip
       fi
    od
}

ltl all_accepted { <> (accepted == FROM_SERVICE + FROM_KERNEL) }
ltl once_a_call { [] (in_call <= 1) }
