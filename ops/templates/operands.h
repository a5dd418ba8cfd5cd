// What a run of {{name}} is given. Made by ops/generate from ops/{{name}}.op.
#pragma once

#include "fovea.h"

namespace fovea::{{name}} {

struct Inputs {
  {{#in}}
  {{pointer}} {{name}};
  {{/in}}
};

struct ForwardOperands : Inputs {
  {{#out}}
  {{pointer}} {{name}};
  {{/out}}
};

struct BackwardOperands : Inputs {
  {{#gradients}}
  {{pointer}} {{name}};
  {{/gradients}}
};

}  // namespace fovea::{{name}}
