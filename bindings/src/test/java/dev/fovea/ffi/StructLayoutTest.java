package dev.fovea.ffi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.Reader;
import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Java's idea of every struct against the C compiler's, which the native build writes down. */
class StructLayoutTest {
  private static final List<StructLayout> STRUCTS =
      Stream.concat(
              Stream.of(
                  FoveaLibraryInfo.LAYOUT,
                  FoveaDeviceInfo.LAYOUT,
                  FoveaPlan.LAYOUT,
                  FoveaCall.LAYOUT),
              NativeOperations.ALL.stream().map(NativeOperation::spec))
          .toList();

  @Test
  void layoutsAreThoseOfTheCompiler() throws IOException {
    Properties compiler = new Properties();
    try (Reader reader = Files.newBufferedReader(layoutFile())) {
      compiler.load(reader);
    }
    TreeMap<String, String> expected = new TreeMap<>();
    compiler.forEach((key, value) -> expected.put((String) key, (String) value));

    TreeMap<String, String> found = new TreeMap<>();
    for (StructLayout struct : STRUCTS) {
      String name = struct.name().orElseThrow();
      found.put(name + ".size", Long.toString(struct.byteSize()));
      for (MemoryLayout member : struct.memberLayouts()) {
        String field = member.name().orElseThrow();
        long offset = struct.byteOffset(PathElement.groupElement(field));
        found.put(name + "." + field + ".offset", Long.toString(offset));
      }
    }
    // Equal both ways: a field that only C has is as wrong as one that only Java has.
    assertEquals(expected, found);
  }

  @Test
  void fieldsReadWhatTheyWrite() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment spec = FoveaAttentionSpec.allocate(arena);
      assertEquals(FoveaAttentionSpec.LAYOUT.byteSize(), FoveaAttentionSpec.SIZE.get(spec));
      FoveaAttentionSpec.SCALE.set(spec, 0.25f);
      FoveaAttentionSpec.BATCH.set(spec, Long.MAX_VALUE);
      FoveaAttentionSpec.KEY_STRIDE.set(spec, 2, -7);
      assertEquals(0.25f, FoveaAttentionSpec.SCALE.get(spec));
      assertEquals(Long.MAX_VALUE, FoveaAttentionSpec.BATCH.get(spec));
      assertEquals(-7, FoveaAttentionSpec.KEY_STRIDE.get(spec, 2));
      assertEquals(0, FoveaAttentionSpec.VALUE_STRIDE.get(spec, 0));

      MemorySegment plan = FoveaPlan.allocate(arena);
      FoveaPlan.SPEC.get(plan).asSlice(0, spec.byteSize()).copyFrom(spec);
      FoveaPlan.FLOPS.set(plan, 1e12);
      assertEquals(1e12, FoveaPlan.FLOPS.get(plan));
      assertEquals(0.25f, FoveaAttentionSpec.SCALE.get(FoveaPlan.SPEC.get(plan)));
    }
  }

  @Test
  void arraysCheckTheirIndex() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment plan = FoveaPlan.allocate(arena);
      for (int index : new int[] {-1, Abi.MAX_PHASES}) {
        assertThrows(IndexOutOfBoundsException.class, () -> FoveaPlan.ITEMS.get(plan, index));
      }
    }
  }

  @Test
  void textsEndAtTheNulOrAtTheEndOfTheArray() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment plan = FoveaPlan.allocate(arena);
      assertEquals("", FoveaPlan.KERNEL.get(plan));
      plan.setString(FoveaPlan.KERNEL.offset(), "avx2 für bf16");
      assertEquals("avx2 für bf16", FoveaPlan.KERNEL.get(plan));
      MemorySegment all = plan.asSlice(FoveaPlan.KERNEL.offset(), FoveaPlan.KERNEL.length());
      all.fill((byte) 'x');
      assertEquals("x".repeat(FoveaPlan.KERNEL.length()), FoveaPlan.KERNEL.get(plan));
      assertEquals(0, plan.get(ValueLayout.JAVA_BYTE, FoveaPlan.SPEC.offset()));
    }
  }

  private static Path layoutFile() {
    String given = System.getProperty("fovea.native.layout");
    if (given != null) {
      Path file = Path.of(given);
      assertTrue(Files.exists(file), "-Dfovea.native.layout=" + given + " is not there");
      return file;
    }
    var found =
        Stream.of("native/build/layout.properties", "../native/build/layout.properties")
            .map(Path::of)
            .filter(Files::exists)
            .findFirst();
    assumeTrue(found.isPresent(), "native/build/layout.properties is made by the native build");
    return found.orElseThrow();
  }
}
