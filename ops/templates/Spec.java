package dev.fovea.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/** {@code fovea_{{name}}_spec}, with the fields of {@code fovea.h}. Made by ops/generate. */
public final class Fovea{{Name}}Spec {
  public static final StructLayout LAYOUT =
      MemoryLayout.structLayout(
              {{#fields}}
              {{#count}}MemoryLayout.sequenceLayout({{count}}, {{/count}}ValueLayout.JAVA_{{layout}}{{#count}}){{/count}}.withName("{{name}}"){{comma}}
              {{/fields}}
          ).withName("fovea_{{name}}_spec");

  {{#fields}}
  public static final Field.{{accessor}} {{NAME}} = Field.{{accessor}}.of(LAYOUT, "{{name}}");
  {{/fields}}

  private Fovea{{Name}}Spec() {}

  /** A new zeroed block that knows its size. */
  public static MemorySegment allocate(Arena arena) {
    MemorySegment block = arena.allocate(LAYOUT);
    SIZE.set(block, (int) LAYOUT.byteSize());
    return block;
  }
}
