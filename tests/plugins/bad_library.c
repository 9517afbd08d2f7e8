/* Shared libraries that misbehave in the way that MODE names; compiled once a mode. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isacopt_plugin.h"

enum mode { GOOD, VERSION, TRUNCATED, NULL_TABLE, SYMBOL, MANIFEST, SCHEMA, NAN_BEST, DIMENSIONS, STATUS, LOOP, BEGIN_LOOP,
            OVERFLOW, ABORT, SEGFAULT, MEMORY, EXIT, PRINT, INITIALISER, METRIC_ABORT };

static size_t coordinates;
static volatile int sink;

static int overflow(int x) {
    volatile char room[65536];
    room[x % 65536] = (char)x;
    return overflow(x + 1) + room[(x + 7) % 65536];
}

static isacopt_status begin(uint32_t index, const isacopt_host *host, isacopt_text parameters, const double *start,
                            size_t length, void **run, isacopt_message *message) {
    (void)index, (void)parameters, (void)start, (void)length, (void)message;
    while (MODE == BEGIN_LOOP) sink++;
    coordinates = host->problem->coordinates;
    *run = calloc(coordinates + 1, sizeof(double));
    return host->random_design(host->user, *run, coordinates);
}

static isacopt_status step(void *run, const isacopt_host *host, isacopt_step_report *report, isacopt_message *message) {
    isacopt_judged value;
    isacopt_text why;
    isacopt_status status = host->evaluate(host->user, run, coordinates, &value);
    (void)report;
    if (status != ISACOPT_OK) return status;
    switch (MODE) {
    case NAN_BEST:
        ((double *)run)[0] = NAN;
        break;
    case DIMENSIONS:
        status = host->evaluate(host->user, run, coordinates + 1, &value);
        why = host->last_error(host->user);
        message->length = why.length < message->capacity ? why.length : message->capacity;
        memcpy(message->data, why.data, message->length);
        return status;
    case STATUS:
        return 4711;
    case LOOP:
        for (;;) sink++;
    case OVERFLOW:
        sink = overflow(1);
        break;
    case ABORT:
        abort();
    case SEGFAULT:
        *(volatile int *)8 = 1;
        break;
    case MEMORY:
        for (;;) {
            char *room = malloc(64 << 20);
            if (!room) {
                fprintf(stderr, "no more room\n");
                abort();
            }
            memset(room, 1, 64 << 20);
        }
    case EXIT:
        exit(3);
    case PRINT:
        printf("hello from the library\n");
        fflush(stdout);
        break;
    default:
        break;
    }
    return ISACOPT_OK;
}

static isacopt_status best(void *run, double *design, size_t length, isacopt_message *message) {
    (void)message;
    memcpy(design, run, length * sizeof(double));
    return ISACOPT_OK;
}

static isacopt_status metric_begin(uint32_t index, const isacopt_system *system, void **metric, isacopt_message *message) {
    (void)index, (void)system, (void)metric, (void)message;
    return ISACOPT_OK;
}

static isacopt_status metric_value(const void *metric, const double *design, size_t length, const double *values,
                                   size_t value_count, double *out, size_t out_count, isacopt_message *message) {
    (void)metric, (void)design, (void)length, (void)values, (void)value_count, (void)out_count, (void)message;
    if (MODE == METRIC_ABORT) abort();
    *out = 1;
    return ISACOPT_OK;
}

__attribute__((constructor)) static void initialise(void) {
    if (MODE == INITIALISER) abort();
}

static isacopt_plugin_table table = {
    .abi_version = MODE == VERSION ? 4096 : ISACOPT_ABI_VERSION,
    .struct_size = MODE == TRUNCATED ? 40 : sizeof(isacopt_plugin_table),
    .solver_begin = begin,
    .solver_step = step,
    .solver_best = best,
    .solver_end = free,
    .metric_begin = metric_begin,
    .metric_value = metric_value,
};

#ifdef HIDDEN
const isacopt_plugin_table *another_name(void);
const isacopt_plugin_table *another_name(void) {
#else
const isacopt_plugin_table *isacopt_plugin(void) {
#endif
    const char *text = "{\"name\":\"bad\",\"version\":\"1\",\"solvers\":[{\"name\":\"bad\"}],"
                       "\"metrics\":[{\"name\":\"bad_metric\"}]}";
    if (MODE == NULL_TABLE) return NULL;
    if (MODE == MANIFEST) text = "{ \"name\": ";
    if (MODE == SCHEMA)
        text = "{\"name\":\"bad\",\"version\":\"1\",\"solvers\":[{\"name\":\"bad\",\"parameters\":{\"type\":\"objekt\"}}]}";
    table.manifest.data = (const uint8_t *)text;
    table.manifest.length = strlen(text);
    return &table;
}
