"""The schemas of a kernel by id, and the C form of their plans. Python-free."""

from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.stdlib cimport free
from libc.string cimport memmove, memset

from barengine.kernel._program cimport Plan
from barengine.kernel._store cimport grown
from barengine.kernel._wire cimport likely


cdef enum:  # how values of a schema id are read
    BY_PLAN = 0
    SLOWLY = 1
    NOT_AT_ALL = 2


cdef struct Schema:
    uint32_t id
    int32_t how
    Plan plan


cdef struct Schemas:
    Schema* items  # in order of their ids
    int64_t count
    int64_t capacity
    int64_t latest  # most topics have one schema, most batches too


cdef inline void free_plan(Plan* plan) noexcept nogil:
    free(plan.words)
    free(plan.symbols)
    free(plan.first_symbol)
    free(plan.text)
    memset(plan, 0, sizeof(Plan))


cdef inline int64_t place_of_schema(const Schemas* all, uint32_t id) noexcept nogil:
    """Index of the first schema whose id is not smaller."""
    cdef int64_t low = 0
    cdef int64_t high = all.count
    cdef int64_t middle
    while low < high:
        middle = low + ((high - low) >> 1)
        if all.items[middle].id < id:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline Schema* find_schema(Schemas* all, uint32_t id) noexcept nogil:
    """The schema of this id; NULL where there is none."""
    cdef int64_t place
    if likely(all.latest < all.count and all.items[all.latest].id == id):
        return &all.items[all.latest]
    place = place_of_schema(all, id)
    if place == all.count or all.items[place].id != id:
        return NULL
    all.latest = place
    return &all.items[place]


cdef inline Schema* room_for_schema(Schemas* all, uint32_t id) noexcept nogil:
    """An emptied entry for this id; NULL without memory."""
    cdef Schema* one = find_schema(all, id)
    cdef int64_t place
    if one != NULL:
        free_plan(&one.plan)
        return one
    if all.count == all.capacity:
        one = <Schema*>grown(all.items, &all.capacity, 4, sizeof(Schema))
        if one == NULL:
            return NULL
        all.items = one
    place = place_of_schema(all, id)
    one = &all.items[place]
    memmove(one + 1, one, <size_t>(all.count - place) * sizeof(Schema))
    memset(one, 0, sizeof(Schema))
    one.id = id
    all.count += 1
    return one


cdef inline void drop_schema(Schemas* all, uint32_t id) noexcept nogil:
    cdef Schema* one = find_schema(all, id)
    if one == NULL:
        return
    free_plan(&one.plan)
    all.count -= 1
    memmove(one, one + 1, <size_t>(all.items + all.count - one) * sizeof(Schema))


cdef inline void free_schemas(Schemas* all) noexcept nogil:
    cdef int64_t place
    for place in range(all.count):
        free_plan(&all.items[place].plan)
    free(all.items)
    memset(all, 0, sizeof(Schemas))
