/* A library that asks for the value of one design 1000 times an iteration. */
#include <stdlib.h>
#include <string.h>

#include "isacopt_plugin.h"

static size_t length_of(const isacopt_host *host) { return host->problem->coordinates; }

static isacopt_status begin(uint32_t index, const isacopt_host *host, isacopt_text parameters, const double *start,
                            size_t length, void **run, isacopt_message *message) {
    (void)index, (void)parameters, (void)start, (void)length, (void)message;
    *run = calloc(length_of(host) + 1, sizeof(double));
    return host->random_design(host->user, *run, length_of(host));
}

static isacopt_status step(void *run, const isacopt_host *host, isacopt_step_report *report, isacopt_message *message) {
    isacopt_judged value;
    (void)report, (void)message;
    for (int i = 0; i < 1000; i++) {
        isacopt_status status = host->evaluate(host->user, run, length_of(host), &value);
        if (status != ISACOPT_OK) return status;
    }
    return ISACOPT_OK;
}

static isacopt_status best(void *run, double *design, size_t length, isacopt_message *message) {
    (void)message;
    memcpy(design, run, length * sizeof(double));
    return ISACOPT_OK;
}

ISACOPT_EXPORT const isacopt_plugin_table *isacopt_plugin(void) {
    static const char manifest[] = "{\"name\":\"calls\",\"version\":\"1\",\"solvers\":[{\"name\":\"calls\"}]}";
    static const isacopt_plugin_table table = {
        .abi_version = ISACOPT_ABI_VERSION,
        .struct_size = sizeof(isacopt_plugin_table),
        .manifest = { (const uint8_t *)manifest, sizeof manifest - 1 },
        .solver_begin = begin,
        .solver_step = step,
        .solver_best = best,
        .solver_end = free,
    };
    return &table;
}
