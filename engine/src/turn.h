/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* turn.h - a first-come, first-served lock, so that no stream starves beside others that
 * ask again at once. */
#ifndef RV_TURN_H
#define RV_TURN_H

#include <pthread.h>

struct rv_turn {
    pthread_mutex_t lock;
    pthread_cond_t next;
    unsigned long asked, served;
};

/* Returns 0, or an error number; then do not call rv_turn_finish. */
static inline int rv_turn_init(struct rv_turn *turn)
{
    int error = pthread_mutex_init(&turn->lock, NULL);

    turn->asked = turn->served = 0;
    if (error)
        return error;
    error = pthread_cond_init(&turn->next, NULL);
    if (error)
        pthread_mutex_destroy(&turn->lock);
    return error;
}

static inline void rv_turn_finish(struct rv_turn *turn)
{
    pthread_cond_destroy(&turn->next);
    pthread_mutex_destroy(&turn->lock);
}

static inline void rv_turn_take(struct rv_turn *turn)
{
    unsigned long mine;

    pthread_mutex_lock(&turn->lock);
    mine = turn->asked++;
    while (turn->served != mine)
        pthread_cond_wait(&turn->next, &turn->lock);
    pthread_mutex_unlock(&turn->lock);
}

static inline void rv_turn_give(struct rv_turn *turn)
{
    pthread_mutex_lock(&turn->lock);
    turn->served++;
    pthread_cond_broadcast(&turn->next);
    pthread_mutex_unlock(&turn->lock);
}

#endif
