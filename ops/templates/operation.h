// What {{name}} takes and gives. Made by ops/generate from ops/{{name}}.op.
#pragma once

#include <cfloat>
#include <iterator>

#include "core/operation.h"
#include "ops/{{name}}/operands.h"

namespace fovea::{{name}} {

constexpr Field kFields[] = {
{{#fields}}
    {"{{name}}", Kind::k{{kind}}, offsetof(Spec, {{name}}), {{most}}},
{{/fields}}
};
{{#hasNumbers}}
constexpr Number kNumbers[] = {
{{#numbers}}
    {"{{name}}", offsetof(Spec, {{name}}), {{#present}}offsetof(Spec, {{present}}){{/present}}{{^present}}0{{/present}}, {{low}}, {{high}}},
{{/numbers}}
};
{{/hasNumbers}}
{{^hasNumbers}}
constexpr List<Number> kNumbers;
{{/hasNumbers}}
constexpr Size kSizes[] = {
{{#sizes}}
    {"{{name}}", offsetof(Spec, {{name}}), {{low}}, {{high}}, {{#total}}"{{total}}", offsetof(Spec, {{total}}){{/total}}{{^total}}nullptr, 0{{/total}}},
{{/sizes}}
};
{{#passes}}
constexpr Operand k{{Pass}}[] = {
{{#operands}}
    {"{{name}}", Type::k{{type}}, {{written}}, {{counts}}, {{#present}}offsetof(Spec, {{present}}){{/present}}{{^present}}0{{/present}}, {{#absent}}offsetof(Spec, {{absent}}){{/absent}}{{^absent}}0{{/absent}}, {{#typed}}offsetof(Spec, {{typed}}){{/typed}}{{^typed}}0{{/typed}}, {{#strides}}offsetof(Spec, {{strides}}){{/strides}}{{^strides}}0{{/strides}}, {{paged}}, {{rank}}, { {{#dims}}{ {{size}},{{sums}} }{{comma}}{{/dims}} }},
{{/operands}}
};
static_assert(std::size(k{{Pass}}) <= kMostOperands);
{{/passes}}

int32_t resolve(fovea_plan& plan);

constexpr Operation kOperation = {
    "{{name}}", {{id}}, sizeof(Spec), {{#packed}}offsetof(Spec, packed){{/packed}}{{^packed}}0{{/packed}}, { {{#pages}}offsetof(Spec, {{list}}), {{count}}, {{rows}}, {{of}}{{/pages}} }, kFields, kNumbers, kSizes, {{{#passes}}k{{Pass}}{{comma}}{{/passes}}}, resolve,
};

}  // namespace fovea::{{name}}
