#!/usr/bin/perl
# Does what the test at the other end of a virtio-serial port asks for: runs programs, writes files, reads files.
# One process serves each port, one request at a time.
#
# A request is a length and then: id, limit in seconds, a letter, and texts, each with its length.
#   r stdin argument...   runs a program          u path         removes a file, if it is there
#   a path bytes          appends to a file       m from to mode makes a file durable under its name
#   g path                reads a file            p              says that it is here
# Answers are frames: id, letter, length, bytes.
#   o, e  output and errors    x  ended, with wait status    t  ended by the limit    f  failed, and why    p  here
# Numbers are 32 bits, the highest byte first.
use strict;
use warnings;
use Fcntl;
use IO::Handle;
use POSIX qw(:sys_wait_h setsid);

my $PIECE = 65536;
my $port;

sub answer {
    my ($id, $letter, $bytes) = @_;
    my $frame = pack('NaN', $id, $letter, length $bytes) . $bytes;
    while (length $frame) {
        my $sent = syswrite $port, $frame, $PIECE;
        # The host may be away for a moment, as when a stored machine is woken up.
        if (!defined $sent) { select undef, undef, undef, 0.02; next }
        substr $frame, 0, $sent, '';
    }
}

sub take {
    my ($wanted) = @_;
    my $bytes = '';
    while (length $bytes < $wanted) {
        my $read = sysread $port, $bytes, $wanted - length $bytes, length $bytes;
        select undef, undef, undef, 0.02 if !$read;
    }
    return $bytes;
}

sub start {
    my ($files, @argv) = @_;
    my ($in, $out, $err) = @$files;
    my $pid = fork;
    return $pid if !defined $pid || $pid;
    # Whatever happens, this process must not go on as if it were the agent.
    eval {
        setsid();
        POSIX::dup2(fileno $in, 0);
        POSIX::dup2(fileno $out, 1);
        POSIX::dup2(fileno $err, 2);
        POSIX::close($_) for 3 .. 63;
        chdir '/';
        $SIG{PIPE} = 'DEFAULT';
        no warnings 'exec';
        exec { $argv[0] } @argv;
    };
    syswrite STDERR, "$argv[0]: $!\n";
    POSIX::_exit(127);
}

# Seconds of a clock that nobody sets.
sub elapsed { return (POSIX::times())[0] / POSIX::sysconf(&POSIX::_SC_CLK_TCK) }

sub run {
    my ($id, $limit, $input, @argv) = @_;
    pipe(my $child_in, my $in) or die "pipe: $!\n";
    pipe(my $out, my $child_out) or die "pipe: $!\n";
    pipe(my $err, my $child_err) or die "pipe: $!\n";
    my $pid = start([$child_in, $child_out, $child_err], @argv) // die "fork: $!\n";
    close $_ for $child_in, $child_out, $child_err;
    $_->blocking(0) for $in, $out, $err;
    my %open = (o => $out, e => $err);
    my $deadline = elapsed() + $limit;
    my ($ended, $late);
    while (1) {
        close $in if defined fileno $in && !length $input;
        my ($readable, $writable) = ('', '');
        vec($readable, fileno $_, 1) = 1 for values %open;
        vec($writable, fileno $in, 1) = 1 if defined fileno $in;
        # A grandchild may keep the pipes: what counts is the program's own end, and what lies in the pipes then.
        my $ready = select $readable, $writable, undef, $ended ? 0 : %open ? 0.1 : 0.01;
        my $moved = 0;
        for my $letter (keys %open) {
            my $read = sysread($open{$letter}, my $bytes, $PIECE);
            if ($read) { answer($id, $letter, $bytes); $moved = 1 }
            elsif (defined $read) { delete $open{$letter} }
        }
        if (defined fileno $in && length $input) {
            my $sent = syswrite $in, $input, $PIECE;
            if ($sent) { substr $input, 0, $sent, '' }
            elsif (!$!{EAGAIN}) { $input = '' }
        }
        last if defined $ended && !$moved;
        if (!defined $ended && waitpid($pid, WNOHANG) == $pid) { $ended = $? }
        if (!defined $ended && !$late && elapsed() > $deadline) { $late = 1; kill 'KILL', -$pid }
    }
    answer($id, $late ? 't' : 'x', pack 'N', $ended);
}

sub durable {
    my ($from, $to, $mode) = @_;
    chmod oct $mode, $from or die "$from: $!\n";
    open my $file, '+<', $from or die "$from: $!\n";
    $file->sync or die "$from: $!\n";
    rename $from, $to or die "$to: $!\n";
    my $folder = $to =~ s{/[^/]*$}{}r || '/';
    sysopen(my $dir, $folder, O_RDONLY | O_DIRECTORY) or die "$folder: $!\n";
    $dir->sync or die "$folder: $!\n";
}

sub serve {
    my ($id, $limit, $letter, @texts) = @_;
    if ($letter eq 'r') { return run($id, $limit, @texts) }
    if ($letter eq 'p') { return answer($id, 'p', '') }
    if ($letter eq 'a') {
        my ($path, $bytes) = @texts;
        open my $file, '>>', $path or die "$path: $!\n";
        print $file $bytes or die "$path: $!\n";
        close $file or die "$path: $!\n";
    }
    if ($letter eq 'u') { unlink $texts[0] }
    if ($letter eq 'm') { durable(@texts) }
    if ($letter eq 'g') {
        open my $file, '<', $texts[0] or die "$texts[0]: $!\n";
        while (1) {
            my $read = sysread($file, my $bytes, $PIECE);
            defined $read or die "$texts[0]: $!\n";
            last if !$read;
            answer($id, 'o', $bytes);
        }
    }
    answer($id, 'x', pack 'N', 0);
}

sub attend {
    my ($path) = @_;
    $SIG{PIPE} = 'IGNORE';
    # The kernel's module for the ports may still be coming up.
    until (sysopen $port, $path, O_RDWR) { select undef, undef, undef, 0.02 }
    while (1) {
        my ($id, $limit, $letter, $rest) = unpack 'NNaa*', take(unpack 'N', take(4));
        my @texts = length $rest ? unpack '(N/a*)*', $rest : ();
        eval { serve($id, $limit, $letter, @texts); 1 } or answer($id, 'f', $@);
    }
}

%ENV = (
    PATH => '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME => '/root', LANG => 'C.UTF-8', LOGNAME => 'root', USER => 'root', SHELL => '/bin/bash',
);
my @processes;
for my $path (@ARGV) {
    my $pid = fork // die "fork: $!\n";
    attend($path) if !$pid;
    push @processes, $pid;
}
wait;
kill 'KILL', @processes;
die "one of the ports' processes ended\n";
