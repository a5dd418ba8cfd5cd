// What a run of {{name}} is given. Made by ops/generate from ops/{{name}}.op.
#pragma once

#include "fovea.h"

namespace fovea::{{name}} {

using Spec = fovea_{{name}}_spec;

struct Inputs {
  {{#in}}
  {{pointer}} {{name}};
  {{/in}}
};
{{#passes}}

struct {{Pass}}Operands : Inputs {
  {{#own}}
  {{pointer}} {{name}};
  {{/own}}
};
{{/passes}}

}  // namespace fovea::{{name}}
