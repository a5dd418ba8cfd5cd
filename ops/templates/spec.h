typedef struct fovea_{{name}}_spec {
{{#fields}}
  {{type}} {{name}}{{#count}}[{{count}}]{{/count}};{{#comment}} /* {{comment}} */{{/comment}}
{{/fields}}
} fovea_{{name}}_spec;
