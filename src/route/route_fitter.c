/* route_fitter.c - what the fit in the background is told: that it is wanted, that it must end. The
 * fit and its thread: route_fit.c. Any thread. */
#include "route/route_int.h"

bool route_fit_must_end(route *r) {
    mutex_lock(&r->fitter_lock);
    bool stop = r->fitter_stop;
    mutex_unlock(&r->fitter_lock);
    return stop || (r->o.cancelled && r->o.cancelled(r->o.cancelled_self));
}

void route_fit_in_background(route *r) {
    mutex_lock(&r->fitter_lock);
    r->fitter_wanted = true;
    cond_signal(&r->fitter_wake);
    mutex_unlock(&r->fitter_lock);
}
