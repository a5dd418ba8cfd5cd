package dev.fovea.cli;

import dev.fovea.DType;
import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import dev.fovea.testkit.Rounding;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/** The files of one command line, each named as its option. */
public record NpyFiles(Path folder) {

  Path file(String name) {
    return folder.resolve(name + ".npy");
  }

  Npy read(String name) throws IOException {
    return Npy.read(file(name), Arena.ofAuto());
  }

  /** Writes an array, over what may be there. */
  public static void write(Npy array, Path file) throws IOException {
    try (FileChannel channel =
        FileChannel.open(
            file,
            StandardOpenOption.WRITE,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING)) {
      array.writeTo(channel);
    }
  }

  /** The option for a file to be written. */
  List<String> result(String name) {
    return List.of("--" + name, file(name).toString());
  }

  /** Writes a file, rounding to {@code type}, and returns the option for it. */
  List<String> operand(String name, NpyType type, float[] values, long... shape)
      throws IOException {
    MemorySegment data = Arena.ofAuto().allocate((long) values.length * type.byteSize() + 8, 8);
    for (int i = 0; i < values.length; i++) {
      switch (type) {
        case FLOAT64 -> data.setAtIndex(ValueLayout.JAVA_DOUBLE, i, values[i]);
        case FLOAT32 -> data.setAtIndex(ValueLayout.JAVA_FLOAT, i, values[i]);
        case INT32 -> data.setAtIndex(ValueLayout.JAVA_INT, i, (int) values[i]);
        case INT64 -> data.setAtIndex(ValueLayout.JAVA_LONG, i, (long) values[i]);
        case BOOL -> data.set(ValueLayout.JAVA_BYTE, i, (byte) values[i]);
        case FLOAT16, BFLOAT16 -> {
          DType narrow = type == NpyType.FLOAT16 ? DType.FLOAT16 : DType.BFLOAT16;
          data.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) Rounding.bits(narrow, values[i]));
        }
      }
    }
    MemorySegment exact = data.asSlice(0, (long) values.length * type.byteSize());
    write(new Npy(type, shape, exact), file(name));
    return result(name);
  }

  /** As {@link #operand}; nothing if there are no lengths. */
  List<String> lengths(String name, NpyType type, int[] values) throws IOException {
    return values == null ? List.of() : integers(name, type, values, values.length);
  }

  /** As {@link #operand}. */
  List<String> integers(String name, NpyType type, int[] values, long... shape) throws IOException {
    float[] exact = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      exact[i] = values[i];
    }
    return operand(name, type, exact, shape);
  }
}
