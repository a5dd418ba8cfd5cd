package dev.fovea.serving;

import dev.fovea.Tensor;
import dev.fovea.nn.train.Safetensors;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Sequences of a cache in a file: the pages of each layer up to the last that any has, and for each
 * sequence its tokens and pages.
 */
final class KvFile {
  private static final String FORMAT = "fovea kv cache 1";

  private KvFile() {}

  static void write(Path file, KvCache cache, List<KvSequence> sequences) throws IOException {
    if (new HashSet<>(sequences).size() < sequences.size()) {
      throw new IllegalArgumentException("a sequence is named twice");
    }
    int end = 0;
    List<String> lines = new ArrayList<>();
    for (KvSequence it : sequences) {
      if (it.cache() != cache) {
        throw new IllegalArgumentException("a sequence is of another cache");
      }
      it.requireOpen();
      int count = cache.pagesOf(it.committed());
      StringBuilder line = new StringBuilder(it.committed() + " " + it.begin());
      for (int i = 0; i < count; i++) {
        line.append(' ').append(it.page(i));
        end = Math.max(end, it.page(i) + 1);
      }
      lines.add(line.toString());
    }
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    for (int layer = 0; layer < cache.layers(); layer++) {
      List<Tensor> all = cache.tensors(layer);
      for (int i = 0; i < all.size(); i++) {
        tensors.put(layer + "." + i, all.get(i).slice(0, 0, end));
      }
    }
    Safetensors.write(
        file,
        tensors,
        Map.of(
            "format", FORMAT,
            "shape", cache.shape().toString(),
            "pages", String.valueOf(end),
            "sequences", String.join("\n", lines)));
  }

  static List<KvSequence> read(Path path, KvCache cache) throws IOException {
    try (Arena arena = Arena.ofShared()) {
      Safetensors file = Safetensors.read(path, arena);
      Map<String, String> known = file.metadata();
      if (!FORMAT.equals(known.get("format"))) {
        throw new IOException(path + " has no sequences of a cache");
      }
      String shape = cache.shape().toString();
      if (!shape.equals(known.get("shape"))) {
        throw new IOException(
            "%s is of a cache of %s, and this has %s".formatted(path, known.get("shape"), shape));
      }
      return new Reading(path, file, cache, known).sequences();
    }
  }

  /** What is checked in full before the cache changes. */
  private static final class Reading {
    private final Path path;
    private final KvCache cache;
    private final int end;
    private final List<int[]> lines = new ArrayList<>(); // tokens, those forgotten, pages
    private final Map<Integer, Integer> pages = new LinkedHashMap<>(); // of the file, in the cache
    private final List<List<Tensor>> layers = new ArrayList<>();

    Reading(Path path, Safetensors file, KvCache cache, Map<String, String> known)
        throws IOException {
      this.path = path;
      this.cache = cache;
      try {
        end = Integer.parseInt(known.get("pages"));
        for (String line : known.getOrDefault("sequences", "").lines().toList()) {
          lines.add(Arrays.stream(line.split(" ")).mapToInt(Integer::parseInt).toArray());
        }
      } catch (NumberFormatException e) {
        throw damaged();
      }
      for (int[] line : lines) {
        check(line);
      }
      for (int layer = 0; layer < cache.layers(); layer++) {
        List<Tensor> all = cache.tensors(layer);
        List<Tensor> read = new ArrayList<>();
        for (int i = 0; i < all.size(); i++) {
          long[] shape = all.get(i).shape();
          shape[0] = end;
          read.add(file.tensor(layer + "." + i, shape));
        }
        layers.add(read);
      }
    }

    private IOException damaged() {
      return new IOException(path + " has sequences that cannot be");
    }

    private void check(int[] line) throws IOException {
      int size = cache.pageSize();
      boolean fits =
          line.length >= 2
              && line[0] >= 0
              && line[1] >= 0
              && line[1] <= line[0]
              && line[0] <= cache.longest()
              && line.length - 2 == cache.pagesOf(line[0]);
      for (int i = 2; fits && i < line.length; i++) {
        boolean forgotten = (long) (i - 1) * size <= line[1];
        fits = forgotten ? line[i] == KvSequence.NONE : line[i] >= 0 && line[i] < end;
        if (fits && !forgotten) {
          pages.put(line[i], 0);
        }
      }
      if (!fits) {
        throw damaged();
      }
    }

    List<KvSequence> sequences() {
      PagePool pool = cache.pool();
      pool.require(pages.size());
      pages.replaceAll((from, none) -> pool.take());
      boolean done = false;
      try {
        pages.forEach(this::copy);
        done = true;
      } finally {
        if (!done) {
          pages.values().forEach(pool::release);
        }
      }
      List<KvSequence> all = lines.stream().map(this::sequence).collect(Collectors.toList());
      pages.values().forEach(pool::release); // those that sequences hold stay
      return List.copyOf(all);
    }

    private void copy(int from, int to) {
      for (int layer = 0; layer < layers.size(); layer++) {
        List<Tensor> tensors = cache.tensors(layer);
        for (int i = 0; i < tensors.size(); i++) {
          tensors
              .get(i)
              .slice(0, to, to + 1L)
              .copyFrom(layers.get(layer).get(i).slice(0, from, from + 1L));
        }
      }
    }

    private KvSequence sequence(int[] line) {
      KvSequence sequence = cache.open();
      int[] held = new int[Math.max(4, line.length - 2)];
      for (int i = 2; i < line.length; i++) {
        held[i - 2] = line[i] == KvSequence.NONE ? KvSequence.NONE : pages.get(line[i]);
        if (held[i - 2] != KvSequence.NONE) {
          cache.pool().share(held[i - 2]);
        }
      }
      sequence.restore(held, line.length - 2, line[0], line[1]);
      return sequence;
    }
  }
}
