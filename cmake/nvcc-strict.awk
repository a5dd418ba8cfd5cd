# Of nvcc-strict. First file: "ARCH KERNEL CODE_BYTES" lines; second: what nvcc with -Xptxas -v
# printed, one kernel after the other:
#   ptxas info    : Compiling entry function 'KERNEL' for 'ARCH'
#   ptxas info    : Function properties for KERNEL
#       0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
#   ptxas info    : Used 32 registers, used 1 barriers, 1024 bytes smem
# and, outside a kernel, such properties of functions that were not inlined. What is not of ptxas
# goes through to the standard output. Runs on any awk.

function complain(text) {
  print "error: ptxas: " text >complaints
}

# The number before `unit`, 0 where there is none.
function number(unit) {
  return match($0, "[0-9]+ " unit) ? substr($0, RSTART, RLENGTH) + 0 : 0
}

BEGIN {
  OFS = "\t"
  printf "" >complaints
  printf "" >report
}

FILENAME == ARGV[1] { code[$1, $2] = $3; next }

/^ptxas info/ { remarks = 1 }

/^ptxas info.*\(C75[0-9][0-9]\)/ {
  sub(/^ptxas info *: */, "")
  complain($0)
  next
}

# Any other order is that of two ptxas at once, and says nothing about either.
awaited != "" && $0 !~ awaited {
  complain("its report is out of order at: " $0)
  awaited = ""
}

/^ptxas info.*Compiling entry function/ {
  split($0, quoted, "'")
  kernel = quoted[2]
  arch = quoted[4]
  awaited = "Function properties for"
  next
}

/^ptxas info.*Function properties for/ {
  name = $NF
  awaited = "bytes stack frame"
  next
}

/bytes stack frame,.*bytes spill stores,.*bytes spill loads/ {
  spills = number("bytes spill stores") + number("bytes spill loads")
  if (spills + number("bytes stack frame") > 0) {
    sub(/^ */, "")
    what = spills > 0 ? "spills registers" : "an array in local memory"
    complain(what ": " name " for " arch ": " $0)
  }
  awaited = name == kernel ? "Used [0-9]+ registers" : ""
  next
}

/^ptxas info.*Used [0-9]+ registers/ {
  print kernel, arch, number("registers"), number("bytes smem"), spills, code[arch, kernel] >report
  kernel = awaited = ""
  next
}

/^ptxas info/ { next }
{ print }

END {
  if (awaited != "") complain("its report ends before: " awaited)
  if (!remarks) complain("no report")
}
