/* Adaptive random search as a plugin of isacopt in C: one file over isacopt_plugin.h, no other dependency.
 *
 * From the best design a random step of normal numbers is taken; its length grows where it succeeds and shrinks where it
 * fails, so that one in five succeeds (M. Schumer and K. Steiglitz, doi:10.1109/TAC.1968.1098903; the rule of one in five
 * is Rechenberg's). Where the step has become as small as rounding it starts anew at a random design, and the best is kept.
 *
 *   cc -O2 -shared -fPIC -I plugins/include -o adaptive_random_search.so adaptive_random_search.c -lm
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isacopt_plugin.h"

#define TEXT(literal) { (const uint8_t *)(literal), sizeof(literal) - 1 }

static const char MANIFEST[] =
    "{ \"name\": \"c_random_search\", \"version\": \"0.1.0\","
    "  \"description\": \"Adaptive random search, as a plugin in C\","
    "  \"solvers\": [ { \"name\": \"adaptive_random_search\","
    "    \"description\": \"Random steps from the best design, longer after a success and shorter after a failure, so that"
    " one in five succeeds; anew from a random design where they have become as small as rounding."
    " Source: Schumer and Steiglitz, doi:10.1109/TAC.1968.1098903.\","
    "    \"parameters\": { \"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
    "      \"step\": { \"type\": \"number\", \"exclusiveMinimum\": 0, \"default\": 0.3,"
    "        \"description\": \"The first step, in units of a coordinate's scale.\" },"
    "      \"growth\": { \"type\": \"number\", \"exclusiveMinimum\": 1, \"maximum\": 10, \"default\": 1.5,"
    "        \"description\": \"By what the step grows with a success; four failures undo it.\" },"
    "      \"batch\": { \"type\": \"integer\", \"minimum\": 1, \"default\": 50,"
    "        \"description\": \"Designs in one iteration.\" } } },"
    "    \"needs\": { \"continuous\": true },"
    "    \"stop\": { \"max_evaluations\": 20000 } } ] }";

/* A run: the parameters, where it stands, and the best of all. */
struct run {
    size_t coordinates;
    double first_step, growth, step;
    size_t batch;
    double *scale, *here, *trial, *best, *noise;
    isacopt_judged here_value, best_value;
};

static isacopt_status say(isacopt_message *message, isacopt_status status, const char *words, size_t length) {
    message->length = length < message->capacity ? length : message->capacity;
    memcpy(message->data, words, message->length);
    return status;
}

/* What a failed call of the host's is answered with. */
static isacopt_status pass_on(const isacopt_host *host, isacopt_message *message, isacopt_status status) {
    isacopt_text why;
    if (status == ISACOPT_STOP) return ISACOPT_STOP;
    why = host->last_error(host->user);
    return say(message, ISACOPT_FAILED, (const char *)why.data, why.length);
}

/* Feasible before infeasible, then the objective; between infeasible ones the violation. */
static int better(const isacopt_problem *problem, isacopt_judged a, isacopt_judged b) {
    const double strict = 1e-9;
    if (isnan(a.objective)) return 0;
    if (a.violation <= strict && b.violation <= strict)
        return isnan(b.objective) || problem->direction * a.objective > problem->direction * b.objective;
    if (a.violation <= strict || b.violation <= strict) return a.violation <= strict;
    return a.violation < b.violation;
}

/* Judges the trial, repaired where the model does that. */
static isacopt_status judge(const isacopt_host *host, struct run *run, isacopt_judged *value) {
    uint32_t moved = 0;
    isacopt_status status = host->evaluate(host->user, run->trial, run->coordinates, value);
    if (status == ISACOPT_OK && value->violation > 1e-12 && host->problem->repairs) {
        status = host->repair(host->user, run->trial, run->coordinates, &moved);
        if (status == ISACOPT_OK) status = host->evaluate(host->user, run->trial, run->coordinates, value);
    }
    return status;
}

static void keep(const isacopt_host *host, struct run *run) {
    if (better(host->problem, run->here_value, run->best_value)) {
        memcpy(run->best, run->here, run->coordinates * sizeof(double));
        run->best_value = run->here_value;
    }
}

static void end(void *handle) {
    struct run *run = handle;
    if (!run) return;
    free(run->scale);
    free(run);
}

static isacopt_status begin(uint32_t index, const isacopt_host *host, isacopt_text parameters, const double *start,
                            size_t length, void **handle, isacopt_message *message) {
    const isacopt_problem *problem = host->problem;
    size_t n = problem->coordinates;
    double batch = 50;
    struct run *run = calloc(1, sizeof *run);
    isacopt_status status = ISACOPT_OK;
    (void)index, (void)parameters, (void)length;
    /* One piece of memory for five arrays of at least one number. */
    if (run) run->scale = calloc(5 * (n ? n : 1), sizeof(double));
    if (!run || !run->scale) {
        free(run);
        return say(message, ISACOPT_FAILED, "out of memory", 13);
    }
    run->here = run->scale + n, run->trial = run->here + n, run->best = run->trial + n, run->noise = run->best + n;
    run->coordinates = n;
    run->first_step = 0.3, run->growth = 1.5;
    host->parameter(host->user, (isacopt_text)TEXT("step"), &run->first_step);
    host->parameter(host->user, (isacopt_text)TEXT("growth"), &run->growth);
    host->parameter(host->user, (isacopt_text)TEXT("batch"), &batch);
    run->batch = (size_t)batch, run->step = run->first_step;
    for (size_t i = 0; i < problem->block_count; i++) {
        /* Newer hosts may know longer blocks. */
        const isacopt_block *block = (const isacopt_block *)((const char *)problem->blocks + i * problem->block_size);
        for (size_t j = 0; j < block->coordinates; j++) run->scale[block->offset + j] = block->scale;
    }
    if (start) memcpy(run->here, start, n * sizeof(double));
    else status = host->random_design(host->user, run->here, n);
    if (status == ISACOPT_OK) status = host->evaluate(host->user, run->here, n, &run->here_value);
    if (status != ISACOPT_OK) {
        end(run);
        return pass_on(host, message, status);
    }
    memcpy(run->best, run->here, n * sizeof(double));
    run->best_value = run->here_value;
    *handle = run;
    return ISACOPT_OK;
}

static isacopt_status step(void *handle, const isacopt_host *host, isacopt_step_report *report,
                           isacopt_message *message) {
    struct run *run = handle;
    const isacopt_problem *problem = host->problem;
    isacopt_judged value;
    isacopt_status status;
    report->outcome = problem->free_count ? ISACOPT_STEP_ADVANCED : ISACOPT_STEP_CONVERGED;
    for (size_t k = 0; k < run->batch && problem->free_count; k++) {
        status = host->normal(host->user, run->noise, problem->free_count);
        if (status != ISACOPT_OK) return pass_on(host, message, status);
        memcpy(run->trial, run->here, run->coordinates * sizeof(double));
        for (size_t i = 0; i < problem->free_count; i++) {
            size_t j = problem->free[i];
            run->trial[j] += run->step * run->scale[j] * run->noise[i];
        }
        status = host->project(host->user, run->trial, run->coordinates);
        if (status == ISACOPT_OK) status = judge(host, run, &value);
        if (status != ISACOPT_OK) return pass_on(host, message, status);
        if (better(problem, value, run->here_value)) {
            memcpy(run->here, run->trial, run->coordinates * sizeof(double));
            run->here_value = value;
            run->step *= run->growth;
            keep(host, run);
        } else {
            run->step *= pow(run->growth, -0.25);
        }
        if (run->step < 1e-12 && !host->should_stop(host->user)) {
            run->step = run->first_step;
            status = host->random_design(host->user, run->trial, run->coordinates);
            if (status == ISACOPT_OK) status = judge(host, run, &value);
            if (status != ISACOPT_OK) return pass_on(host, message, status);
            memcpy(run->here, run->trial, run->coordinates * sizeof(double));
            run->here_value = value;
            keep(host, run);
        }
        if (host->should_stop(host->user)) break;
    }
    return ISACOPT_OK;
}

static isacopt_status best(void *handle, double *design, size_t length, isacopt_message *message) {
    const struct run *run = handle;
    if (length != run->coordinates) return say(message, ISACOPT_FAILED, "another length", 14);
    memcpy(design, run->best, length * sizeof(double));
    return ISACOPT_OK;
}

ISACOPT_EXPORT const isacopt_plugin_table *isacopt_plugin(void) {
    static const isacopt_plugin_table table = {
        .abi_version = ISACOPT_ABI_VERSION,
        .struct_size = sizeof(isacopt_plugin_table),
        .manifest = TEXT(MANIFEST),
        .solver_begin = begin,
        .solver_step = step,
        .solver_best = best,
        .solver_end = end,
    };
    return &table;
}
