(function () {
  'use strict';
  function all(selector, root) { return Array.prototype.slice.call((root || document).querySelectorAll(selector)); }

  // Filtering: rows by what is written in them and by state; headings without a row left go too.
  function filter(tools) {
    var list = document.getElementById(tools.dataset.for);
    var input = tools.querySelector('input'), state = tools.querySelector('select'), count = tools.querySelector('output');
    var rows = all('.row', list), texts = null, timer = 0;
    function apply() {
      if (!texts) { texts = rows.map(function (row) { return row.textContent.toLowerCase(); }); }
      var words = input.value.toLowerCase().split(/\s+/).filter(Boolean), wanted = state ? state.value : '', shown = 0;
      rows.forEach(function (row, i) {
        var fits = words.every(function (word) { return texts[i].indexOf(word) >= 0; }) &&
          (!wanted || (row.dataset.state || '').split(' ').indexOf(wanted) >= 0);
        row.hidden = !fits;
        if (fits) { shown += 1; }
        all('.instance[data-state]', row).forEach(function (one) { one.hidden = !!wanted && one.dataset.state !== wanted; });
      });
      all('.group', list).forEach(function (group) { group.hidden = !group.querySelector('.row:not([hidden])'); });
      count.textContent = words.length || wanted ? shown + ' of ' + rows.length + ' shown' : '';
    }
    function soon() { clearTimeout(timer); timer = setTimeout(apply, 80); }
    input.addEventListener('input', soon);
    input.addEventListener('keydown', function (event) { if (event.key === 'Escape') { input.value = ''; apply(); } });
    if (state) { state.addEventListener('change', apply); }
    tools.clear = function () { input.value = ''; if (state) { state.value = ''; } apply(); };
    tools.hidden = false;
  }
  all('.tools').forEach(filter);

  // A link to something folded or filtered away unfolds and shows it.
  function named(hash) { var id = decodeURIComponent(hash.slice(1)); return id && document.getElementById(id); }
  function reveal(target) {
    for (var at = target; at; at = at.parentElement) {
      if (at.tagName === 'DETAILS') { at.open = true; }
      if (at.hidden) { all('.tools').forEach(function (tools) { if (document.getElementById(tools.dataset.for).contains(target)) { tools.clear(); } }); }
    }
    target.scrollIntoView({ block: 'start' });
    target.focus({ preventScroll: true });
  }
  // A link is followed at once: its hash changes a moment later, and by then the reader may be elsewhere.
  var followed = null;
  addEventListener('hashchange', function () {
    var target = named(location.hash), done = target && target === followed;
    followed = null;
    if (target && !done) { reveal(target); }
  });
  document.addEventListener('click', function (event) {
    var link = event.target.closest && event.target.closest('a[href^="#"], a[*|href^="#"]');
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) { return; }
    var hash = link.getAttribute('href'), target = named(hash);
    if (!target) { return; }
    // The same link again changes no hash.
    if (hash === location.hash) { event.preventDefault(); } else { followed = target; }
    reveal(target);
  });
  var first = named(location.hash);
  if (first) { reveal(first); }
}());
