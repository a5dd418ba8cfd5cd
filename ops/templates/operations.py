"""Specs and operands of operations, by name. Made by ops/generate."""

import ctypes
from ctypes import c_float, c_int32, c_int64, c_uint32
{{#operations}}


class {{Name}}Spec(ctypes.Structure):
    _name_ = "fovea_{{name}}_spec"
    operation, number = "{{name}}", {{id}}
    _fields_ = [
        {{#fields}}
        ("{{name}}", {{ctype}}{{#count}} * {{count}}{{/count}}),
        {{/fields}}
    ]
    {{#passes}}
    {{pass}} = (
        {{#operands}}
        "{{name}}",
        {{/operands}}
    )
    {{/passes}}
{{/operations}}


ALL = [{{#operations}}{{Name}}Spec{{comma}}{{/operations}}]
