package dev.fovea;

import dev.fovea.ScoreTerm.Op;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * A {@link ScoreModifier} as kernels take it: words of {@code fovea::attention::ModifierProgram}.
 *
 * <p>An instruction writes a register of its own kind. What is the same for all keys of a query is
 * computed once for it, ahead of the others, in registers that stay; the others are used again.
 */
final class ModifierProgram {
  /** Numbers with a gradient of their own that a program looks up. */
  static final int MOST_LOADS = 8;

  /** Registers of what is the same for all keys come first, and inputs first among each kind. */
  private static final int ROW_REGISTERS = 64;

  private static final int KEY_REGISTERS = 32;
  private static final List<Op> ROW_INPUTS = List.of(Op.BATCH, Op.HEAD, Op.QUERY);
  private static final List<Op> KEY_INPUTS = List.of(Op.SCORE, Op.KEY);
  private static final int HEADER = 6 + 2 * MOST_LOADS;

  private final int[] words;
  private final boolean readsTable;
  private final int columns;

  private ModifierProgram(int[] words, boolean readsTable, int columns) {
    this.words = words;
    this.readsTable = readsTable;
    this.columns = columns;
  }

  /** Of the term that takes the place of the score. */
  static ModifierProgram of(ScoreTerm value) {
    TermGraph graph = new TermGraph();
    ScoreTerm result = graph.of(value);
    List<ScoreTerm> needed = List.copyOf(below(graph, List.of(result)));
    ModifierGradients gradients = new ModifierGradients(needed);
    if (gradients.loads().size() > MOST_LOADS) {
      throw new IllegalArgumentException(
          "the modifier looks up %d different columns, expected at most %d"
              .formatted(gradients.loads().size(), MOST_LOADS));
    }
    List<ScoreTerm> outputs = new ArrayList<>(List.of(result, graph.of(gradients.slope())));
    for (ScoreTerm load : gradients.loads()) {
      outputs.add(graph.of(gradients.by(load)));
      outputs.add(load.operands().getFirst());
    }
    return new Writer(graph, needed, outputs).write();
  }

  /** The terms that some are made of, and these, each behind its operands. */
  private static List<ScoreTerm> below(TermGraph graph, List<ScoreTerm> roots) {
    BitSet in = new BitSet();
    roots.forEach(root -> in.set(graph.number(root)));
    for (int i = graph.terms().size() - 1; i >= 0; i--) {
      if (in.get(i)) {
        graph.terms().get(i).operands().forEach(it -> in.set(graph.number(it)));
      }
    }
    return in.stream().mapToObj(graph.terms()::get).toList();
  }

  int[] words() {
    return words.clone();
  }

  /** What kernels go by that it was compiled into: a hash of its words, not negative. */
  long key() {
    long hash = 0xcbf29ce484222325L;
    for (int word : words) {
      hash = (hash ^ word) * 0x100000001b3L;
      hash ^= hash >>> 29;
    }
    return hash >>> 2;
  }

  /** Whether it looks anything up. */
  boolean readsTable() {
    return readsTable;
  }

  /** Columns that a table must have for those that it names. */
  int columns() {
    return columns;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof ModifierProgram that && Arrays.equals(words, that.words);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(words);
  }

  /** Writes one program. */
  private static final class Writer {
    private final TermGraph graph;
    private final List<ScoreTerm> ofValue;
    private final List<ScoreTerm> outputs;
    private final List<ScoreTerm> all;
    private final BitSet ofRows = new BitSet(); // by number in the graph
    private final int[] register;
    private final List<Integer> instructions = new ArrayList<>();

    Writer(TermGraph graph, List<ScoreTerm> ofValue, List<ScoreTerm> outputs) {
      this.graph = graph;
      this.ofValue = ofValue;
      this.outputs = outputs;
      all = below(graph, outputs);
      register = new int[graph.terms().size()];
      for (ScoreTerm term : all) {
        boolean same =
            !KEY_INPUTS.contains(term.op())
                && term.operands().stream().allMatch(it -> ofRows.get(graph.number(it)));
        ofRows.set(graph.number(term), same);
      }
    }

    ModifierProgram write() {
      writeRows();
      final int rows = instructions.size() / 2;
      final int value = rows + writeKeys();
      int[] words = new int[HEADER + instructions.size()];
      words[0] = instructions.size() / 2;
      words[1] = rows;
      words[2] = value;
      words[3] = (outputs.size() - 2) / 2;
      for (int i = 0; i < outputs.size(); i++) {
        words[4 + i] = registerOf(outputs.get(i));
      }
      for (int i = 0; i < instructions.size(); i++) {
        words[HEADER + i] = instructions.get(i);
      }
      boolean reads = false;
      int columns = 0;
      for (ScoreTerm term : all) {
        if (term.op() == Op.TABLE) {
          reads = true;
          ScoreTerm column = term.operands().getFirst();
          boolean named = column.op() == Op.CONSTANT;
          columns = Math.max(columns, named ? (int) column.constant() + 1 : 1);
        }
      }
      return new ModifierProgram(words, reads, columns);
    }

    private int registerOf(ScoreTerm term) {
      return register[graph.number(term)];
    }

    /** What is the same for all keys. */
    private void writeRows() {
      int next = ROW_INPUTS.size();
      for (ScoreTerm term : all) {
        if (!ofRows.get(graph.number(term))) {
          continue;
        }
        int input = ROW_INPUTS.indexOf(term.op());
        register[graph.number(term)] = input >= 0 ? input : next++;
        if (input < 0) {
          refuseMore(next, ROW_REGISTERS, "that are the same for all keys");
          write(term);
        }
      }
    }

    /** The others, those of the value first; returns how many these are. */
    private int writeKeys() {
      Set<ScoreTerm> first = new HashSet<>(ofValue); // terms have the identity of objects
      List<ScoreTerm> order = new ArrayList<>();
      for (boolean value : new boolean[] {true, false}) {
        for (ScoreTerm term : all) {
          boolean input = KEY_INPUTS.contains(term.op());
          if (first.contains(term) == value && !input && !ofRows.get(graph.number(term))) {
            order.add(term);
          }
        }
      }
      int[] lastUse = new int[register.length];
      for (int i = 0; i < order.size(); i++) {
        for (ScoreTerm operand : order.get(i).operands()) {
          lastUse[graph.number(operand)] = i;
        }
      }
      outputs.forEach(it -> lastUse[graph.number(it)] = Integer.MAX_VALUE);
      BitSet taken = new BitSet();
      taken.set(0, KEY_INPUTS.size()); // for good: a program runs block by block
      for (ScoreTerm term : all) {
        if (KEY_INPUTS.contains(term.op())) {
          register[graph.number(term)] = ROW_REGISTERS + KEY_INPUTS.indexOf(term.op());
        }
      }
      int ofValueWritten = 0;
      for (int i = 0; i < order.size(); i++) {
        ScoreTerm term = order.get(i);
        int free = taken.nextClearBit(0);
        refuseMore(free + 1, KEY_REGISTERS, "at once");
        taken.set(free);
        register[graph.number(term)] = ROW_REGISTERS + free;
        write(term);
        // Operands give theirs up behind the instruction: it writes to none that it reads.
        for (ScoreTerm operand : term.operands()) {
          int at = registerOf(operand) - ROW_REGISTERS;
          if (at >= KEY_INPUTS.size() && lastUse[graph.number(operand)] == i) {
            taken.clear(at);
          }
        }
        ofValueWritten += first.contains(term) ? 1 : 0;
      }
      return ofValueWritten;
    }

    private static void refuseMore(int registers, int most, String which) {
      if (registers > most) {
        throw new IllegalArgumentException(
            "the modifier needs more than %d numbers %s, for itself and its gradients"
                .formatted(most, which));
      }
    }

    private void write(ScoreTerm term) {
      List<ScoreTerm> of = term.operands();
      int a = of.isEmpty() ? 0 : registerOf(of.getFirst());
      int b = of.size() < 2 ? 0 : registerOf(of.get(1));
      instructions.add(term.op().ordinal() | registerOf(term) << 8 | a << 16 | b << 24);
      instructions.add(
          of.size() == 3 ? registerOf(of.get(2)) : Float.floatToRawIntBits(term.constant()));
    }
  }
}
