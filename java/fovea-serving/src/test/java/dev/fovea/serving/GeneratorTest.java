package dev.fovea.serving;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.nn.CachedRows;
import dev.fovea.nn.TransformerLm;
import dev.fovea.nn.Variable;
import dev.fovea.serving.Generation.State;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class GeneratorTest {
  private final TinyModel tiny = new TinyModel();
  private final TransformerLm model = tiny.model;

  @AfterEach
  void close() {
    tiny.close();
  }

  private int[] expected(GenerationRequest request) {
    return tiny.answer(request);
  }

  private static KvCache cache(int pages) {
    return TinyModel.cache(pages);
  }

  private static int[] prompt(Random random, int length) {
    return TinyModel.prompt(random, length);
  }

  @Test
  void answersAreThoseOfWholeSequences() throws Exception {
    Random random = new Random(1);
    try (KvCache cache = cache(120);
        Generator generator =
            Generator.of(cache, model::forward).slots(5).chunk(7).batchInvariant().start()) {
      List<Generation> all = new ArrayList<>();
      for (int i = 0; i < 40; i++) {
        all.add(generator.submit(TinyModel.request(random)));
      }
      for (Generation it : all) {
        assertArrayEquals(
            expected(it.request()), it.await(), Arrays.toString(it.request().prompt()));
        assertTrue(it.state() == State.END || it.state() == State.LENGTH);
        assertTrue(it.waited().compareTo(it.timeToFirstToken()) <= 0);
        assertTrue(it.timeToFirstToken().compareTo(it.time()) <= 0);
      }
      GeneratorMetrics metrics = generator.metrics();
      assertEquals(40, metrics.ended());
      assertEquals(
          all.stream().mapToLong(it -> it.tokens().length).sum(), metrics.generatedTokens());
      assertEquals(
          all.stream().mapToLong(it -> it.request().length()).sum(),
          metrics.promptTokens() + metrics.sharedTokens());
    }
  }

  /** A conversation: each prompt is what was said before, and something new. */
  @Test
  void promptsThatBeginAlikeShareWhatWasComputed() throws Exception {
    Random random = new Random(2);
    try (KvCache cache = cache(60);
        Generator generator =
            Generator.of(cache, model::forward).slots(3).batchInvariant().start()) {
      int[] said = prompt(random, 20);
      for (int turn = 0; turn < 4; turn++) {
        long before = generator.metrics().sharedTokens();
        GenerationRequest request = GenerationRequest.of(said, 9);
        int[] answer = generator.submit(request).await();
        assertArrayEquals(expected(request), answer);
        // All but the last token of the last answer are in the cache; shared are whole pages.
        int known = turn == 0 ? 0 : (said.length - 5 - 1) / TinyModel.PAGE * TinyModel.PAGE;
        assertEquals(known, generator.metrics().sharedTokens() - before, "turn " + turn);
        int[] more = Arrays.copyOf(said, said.length + answer.length + 5);
        System.arraycopy(answer, 0, more, said.length, answer.length);
        System.arraycopy(prompt(random, 5), 0, more, more.length - 5, 5);
        said = more;
      }
      // The same again, at once: none of it may be taken from one that is not that far.
      List<Generation> all = new ArrayList<>();
      for (int i = 0; i < 6; i++) {
        all.add(generator.submit(GenerationRequest.of(said, 3 + i)));
      }
      for (Generation it : all) {
        assertArrayEquals(expected(it.request()), it.await());
      }
    }
  }

  /** More is wanted than there is room for: requests wait, and pages of those that are done go. */
  @Test
  void fewPagesAreEnough() throws Exception {
    Random random = new Random(3);
    try (KvCache cache = cache(TinyModel.LONGEST / TinyModel.PAGE);
        Generator generator =
            Generator.of(cache, model::forward).slots(8).chunk(16).batchInvariant().start()) {
      List<Generation> all = new ArrayList<>();
      for (int i = 0; i < 30; i++) {
        all.add(generator.submit(TinyModel.request(random)));
      }
      all.add(generator.submit(GenerationRequest.of(prompt(random, 60), TinyModel.LONGEST - 60)));
      all.add(generator.submit(TinyModel.request(random)));
      for (Generation it : all) {
        assertArrayEquals(expected(it.request()), it.await());
      }
    }
  }

  /** A model that goes on when it may. */
  private static final class Gate implements DecoderModel {
    private final DecoderModel model;
    private final Semaphore steps = new Semaphore(0);
    private final CountDownLatch begun = new CountDownLatch(1);
    private volatile RuntimeException failure;

    Gate(DecoderModel model) {
      this.model = model;
    }

    @Override
    public Variable scores(
        Variable tokens, Variable positionIds, CachedRows cache, Variable wanted) {
      begun.countDown();
      steps.acquireUninterruptibly();
      if (failure != null) {
        RuntimeException thrown = failure;
        failure = null;
        throw thrown;
      }
      return model.scores(tokens, positionIds, cache, wanted);
    }

    void open() {
      steps.release(1 << 20);
    }
  }

  @Test
  void theQueueIsBounded() throws Exception {
    Gate gate = new Gate(model::forward);
    try (KvCache cache = cache(60);
        Generator generator = Generator.of(cache, gate).slots(1).queue(2).start()) {
      GenerationRequest request = GenerationRequest.of(new int[] {1, 2}, 3);
      Generation first = generator.submit(request);
      gate.begun.await();
      Generation second = generator.submit(request);
      Generation third = generator.submit(request);
      assertThrows(RejectedExecutionException.class, () -> generator.submit(request));
      assertEquals(1, generator.metrics().refused());
      assertEquals(2, generator.metrics().waiting());
      assertEquals(State.RUNNING, first.state());
      assertEquals(State.WAITING, third.state());
      second.cancel();
      assertThrows(CancellationException.class, second::await);
      Generation fourth = generator.submit(request);
      gate.open();
      for (Generation it : List.of(first, third, fourth)) {
        assertArrayEquals(first.await(), it.await());
      }
      assertEquals(1, generator.metrics().cancelled());
    }
  }

  @Test
  void cancelledRequestsMakeRoom() throws Exception {
    Gate gate = new Gate(model::forward);
    try (KvCache cache = cache(60);
        Generator generator = Generator.of(cache, gate).slots(2).kept(0).batchInvariant().start()) {
      Generation one = generator.submit(GenerationRequest.of(new int[] {1, 2}, 60));
      GenerationRequest other = GenerationRequest.of(new int[] {7}, 20);
      Generation two = generator.submit(other);
      gate.steps.release(5);
      assertEquals(expected(one.request())[0], one.next().orElseThrow());
      one.cancel();
      one.cancel();
      gate.open();
      assertArrayEquals(expected(other), two.await());
      assertThrows(CancellationException.class, one::await);
      int known = one.tokens().length;
      int read = 1;
      for (OptionalInt it = one.next(); it.isPresent(); it = one.next()) {
        read++;
      }
      assertEquals(known, read);
      while (generator.metrics().freePages() < 60) {
        Thread.onSpinWait();
      }
    }
  }

  @Test
  void aStepThatThrowsFailsItsRequestsAlone() throws Exception {
    Gate gate = new Gate(model::forward);
    try (KvCache cache = cache(60);
        Generator generator = Generator.of(cache, gate).slots(1).batchInvariant().start()) {
      gate.failure = new IllegalStateException("a wrong model");
      GenerationRequest request = GenerationRequest.of(new int[] {1, 2, 3, 4, 5}, 4);
      Generation one = generator.submit(request);
      Generation two = generator.submit(request);
      gate.open();
      ExecutionException thrown = assertThrows(ExecutionException.class, one::await);
      assertEquals("a wrong model", thrown.getCause().getMessage());
      assertEquals(State.FAILED, one.state());
      assertArrayEquals(expected(request), two.await());
      assertEquals(0, generator.metrics().sharedTokens(), "nothing of what failed");
      assertEquals(1, generator.metrics().failed());
    }
  }

  @Test
  void anErrorEndsTheGenerator() throws Exception {
    DecoderModel broken =
        (tokens, at, cache, wanted) -> {
          throw new OutOfMemoryError("of the model");
        };
    try (KvCache cache = cache(60);
        Generator generator = Generator.of(cache, broken).slots(1).start()) {
      GenerationRequest request = GenerationRequest.of(new int[] {1}, 4);
      Generation one = generator.submit(request);
      ExecutionException thrown = assertThrows(ExecutionException.class, one::await);
      assertInstanceOf(OutOfMemoryError.class, thrown.getCause());
      while (true) {
        try {
          Generation late = generator.submit(request); // until it is seen to have ended
          assertThrows(ExecutionException.class, late::await);
        } catch (IllegalStateException e) {
          assertInstanceOf(OutOfMemoryError.class, e.getCause());
          break;
        }
      }
      assertEquals(60, cache.freePages());
    }
  }

  @Test
  void scoresThatAreNoNumbersFailTheirRequest() throws Exception {
    DecoderModel wrong =
        (tokens, at, cache, wanted) -> {
          Variable scores = model.forward(tokens, at, cache, wanted);
          scores.value().setFloat(Float.NaN, 0, 3);
          return scores;
        };
    try (KvCache cache = cache(60);
        Generator generator = Generator.of(cache, wrong).slots(2).start()) {
      Generation one = generator.submit(GenerationRequest.of(new int[] {1}, 4));
      ExecutionException thrown = assertThrows(ExecutionException.class, one::await);
      assertTrue(thrown.getCause().getMessage().contains("token 3 is NaN"));
    }
  }

  @Test
  void closingCancelsWhatIsLeft() throws Exception {
    Gate gate = new Gate(model::forward);
    try (KvCache cache = cache(60)) {
      Generator generator = Generator.of(cache, gate).slots(1).start();
      Generation one = generator.submit(GenerationRequest.of(new int[] {1}, 50));
      Generation two = generator.submit(GenerationRequest.of(new int[] {1}, 50));
      gate.begun.await();
      Thread closing = new Thread(generator::close);
      closing.start();
      gate.open();
      closing.join();
      generator.close();
      assertThrows(CancellationException.class, one::await);
      assertThrows(CancellationException.class, two::await);
      assertFalse(two.next().isPresent());
      assertEquals(60, cache.freePages());
      assertThrows(IllegalStateException.class, () -> generator.submit(two.request()));
    }
  }

  /** That is a mistake, of which everybody hears. */
  @Test
  void aCacheThatIsClosedTooEarlyEndsTheGenerator() throws Exception {
    Gate gate = new Gate(model::forward);
    KvCache cache = cache(60);
    try (Generator generator = Generator.of(cache, gate).slots(1).start()) {
      Generation one = generator.submit(GenerationRequest.of(new int[] {1}, 50));
      Generation two = generator.submit(GenerationRequest.of(new int[] {1}, 50));
      gate.begun.await();
      cache.close();
      gate.open();
      for (Generation it : List.of(one, two)) {
        ExecutionException thrown = assertThrows(ExecutionException.class, it::await);
        assertInstanceOf(IllegalStateException.class, thrown.getCause());
      }
    }
  }

  @Test
  void whatCannotBe() {
    assertThrows(IllegalArgumentException.class, () -> GenerationRequest.of(new int[0], 1));
    assertThrows(IllegalArgumentException.class, () -> GenerationRequest.of(new int[1], 0));
    try (KvCache cache = cache(10)) {
      Generator.Builder builder = Generator.of(cache, model::forward);
      assertThrows(IllegalArgumentException.class, () -> builder.slots(0));
      assertThrows(IllegalArgumentException.class, () -> builder.chunk(0));
      assertThrows(IllegalArgumentException.class, () -> builder.queue(0));
      assertThrows(IllegalArgumentException.class, () -> builder.kept(-1));
      assertThrows(IllegalArgumentException.class, () -> builder.parallelism(0));
      try (Generator generator = builder.start()) {
        assertThrows(
            IllegalArgumentException.class,
            () -> generator.submit(GenerationRequest.of(new int[30], 11)));
      }
    }
    KvCache closed = cache(10);
    closed.close();
    assertThrows(IllegalStateException.class, Generator.of(closed, model::forward)::start);
  }
}
